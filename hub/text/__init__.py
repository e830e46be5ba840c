"""Text that people and other programs write: files, phone numbers, addresses, names. Read, compared and made safe to show in one place.

Knows spellings. Does not know settings, calls or events.
"""
