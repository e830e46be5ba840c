"""The subcommands of `transcript-client`, one file each: their options, what they print, and their exit codes.

Knows command lines and terminals. Does not know how calls are made or followed: the rooms below do.
"""
