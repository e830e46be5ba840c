"""Telephone audio: G.711 arithmetic, and the timeline that keeps a call's two tracks in step.

Knows samples, bytes and media time. Does not know Twilio, calls or clocks.
"""
