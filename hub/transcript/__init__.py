"""What a call's log says, read back: the files that people download.

Pure folds over events. Does not know how events are stored or served.
"""
