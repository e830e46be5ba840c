"""Outgoing webhooks: programs outside that are sent what happens in calls.

Knows events as the archive has them, and receivers at URLs. Does not know how a call is run, nor who watches it.
"""
