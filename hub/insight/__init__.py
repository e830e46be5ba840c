"""What can be made of a call's events while it lives: watchwords, and redaction of what is secret.

Knows events: pure stages and folds over them. Does not know calls, topics, sockets, nor a clock of its own: time is an argument.
"""
