"""One folder per provider: its wire format, its adapter and its registration.

Each folder knows one vendor. It does not know the other vendors, calls or subscribers.
"""
