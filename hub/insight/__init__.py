"""What can be made of a call's events: statistics, watchwords, and redaction of what is secret.

Knows events: pure stages and folds over them. Does not know calls, topics, sockets, nor a clock of its own: time is an argument.
"""
