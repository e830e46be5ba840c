"""What a call's log says, read back: the outline that lists show, the utterances, and the files that people download.

Knows events: pure folds over them. Does not know how events are stored or served.
"""
