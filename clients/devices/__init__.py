"""The microphone and the loudspeaker of this machine, as frames of telephone audio.

Knows PortAudio, device names and device rates. Does not know calls or hubs.
"""
