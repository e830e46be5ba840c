"""What people see in a terminal: one call's transcript, or a table of all calls.

Knows events, words and colours. Does not know command lines, nor how the hub is reached.
"""
