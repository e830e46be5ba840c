"""The speech engine that runs on this machine, without an account: Silero's voice detector and Moonshine's speech model.

Knows how to turn each track of a call into utterances, and how a few threads serve all calls. Does not know subscribers, sockets or Twilio.
"""
