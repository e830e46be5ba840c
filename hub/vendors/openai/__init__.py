"""OpenAI's Realtime API: a voice model that answers calls.

Knows the vendor's wire, session and settings, and translates them for `hub.agents.voice_model`. Knows no call and no other vendor.
"""
