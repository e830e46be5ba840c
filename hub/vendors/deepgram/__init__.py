"""Deepgram: live speech-to-text, both tracks as two channels of one session."""
