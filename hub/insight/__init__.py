"""What can be learned from a call's events while it lives: watchwords.

Knows events: pure folds over them. Does not know calls, topics, sockets, nor a clock of its own: time is an argument.
"""
