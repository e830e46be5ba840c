"""How a call's audio becomes words: the Transcriber seam, the reconnecting session, the replay buffer, the fallback, utterances.

Knows sockets, retries and words. Does not know any vendor's messages, calls or subscribers.
"""
