"""Keeps numbers, addresses and what else is secret out of everything that readers get. Pure stages over events.

`figures` reads digits, written and said; `numbers` which of them make one number; `redactor` which numbers are secret; `side` goes through
the utterances of one side, and `redaction` through the events of a call.
"""
