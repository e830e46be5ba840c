"""Publish and subscribe: a call's log, its subscribers and their outboxes, its live audio, and the registry of all calls.

Knows offsets, cursors and back-pressure. Does not know what an event means, nor how a subscriber is connected.
"""
