"""Twilio's side of a call, without Twilio: opens media streams to a hub, signs them, sends audio, and plays what an agent answers.

Knows Twilio's messages, signature, pace and buffer. Does not know what the hub makes of the call.
"""
