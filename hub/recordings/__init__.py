"""Recordings: a call's sound, left and right as the timeline has it, in a spool while the call lives and in a store afterwards.

Knows blocks of audio, files and stores. Does not know what is said, who listens, or what a call is to Twilio.
"""
