"""`transcript-hub check`: tests every step of a call and prints one line per step.

Knows how each part is reached and what its failures mean. Changes nothing, and leaves no call behind. Does not know any provider.
"""
