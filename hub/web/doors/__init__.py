"""The doors, one file each, and what `/client` is made of: its protocol, its subscriptions, listening in.

Knows what each request gets. Does not know how a peer is kept in bounds, which the rest of `hub/web` does.
"""
