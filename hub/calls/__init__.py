"""Live calls: from the first stream to the last word, published in one place, recovered when a stream or a hub is lost.

Knows the life of a call. Does not know HTTP, sockets, or any provider by name.
"""
