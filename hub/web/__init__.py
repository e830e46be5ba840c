"""The doors: one file for each address that the hub serves, and what doors share: who may come in, sockets, limits.

Knows aiohttp and HTTP. Does not know how a call works: it passes messages on, and nothing on a lower floor knows aiohttp's server.
"""
