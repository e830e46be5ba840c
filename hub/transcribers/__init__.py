"""How a call's audio becomes words: the Transcriber seam, the reconnecting session, its replay buffer, the fallback, utterances.

Knows sockets, attempts and words. Does not know any vendor's messages, calls or subscribers.
"""
