"""Programs and a Python library for people who use a hub: play or speak a call into it, follow one call, watch all calls.

Knows a hub by its addresses and by the events that it sends. Does not know how a hub works inside.
"""
