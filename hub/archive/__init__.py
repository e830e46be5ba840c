"""The archive: calls that outlive the process. Rows and full text in SQLite or PostgreSQL, and who saw what.

Knows calls as rows, events as bytes with an offset, and the words in them. Does not know topics, subscribers, sockets, or sound.
"""
