"""The frame: the piece of telephone audio that is sent, recorded or played at a time."""

from hub.audio.g711 import BYTES_PER_MS

FRAME_MS = 20
"""The length of one Twilio media message in practice. Twilio does not document it, so a reader must take any length."""

FRAME_BYTES = FRAME_MS * BYTES_PER_MS
