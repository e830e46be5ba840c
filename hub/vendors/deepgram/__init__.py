"""Deepgram: live speech-to-text, both tracks as two channels of one session.

Knows the vendor's wire, its windows of results and its settings. Does not know calls, subscribers or other vendors.
"""
