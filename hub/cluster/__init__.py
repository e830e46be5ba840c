"""One node among others: its lease, the calls of all nodes, replicas of those that are read here, and what nodes ask each other.

Knows the broker and the registry. Does not know how a call is served, nor who reads it.
"""
