"""One folder per provider: its settings, its wire format, its adapter, its probe and its descriptor. `registered.py` lists them.

Each folder knows one vendor. It does not know the other vendors, calls or subscribers.
"""
