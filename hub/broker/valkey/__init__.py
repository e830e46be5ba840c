"""A broker on Valkey or Redis, 6.2 or newer: one server, a master that Sentinel names, or a Cluster.

What lasts is in hashes, sorted sets and Streams, and changes in Lua scripts. Pub/Sub says at once that there is something new; what it may
lose is read from the Streams. redis-py is imported only where such a broker is opened.
"""
