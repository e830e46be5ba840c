"""Notes of calls that are over, which a model writes: what it is asked, what of its answer is believed, and how it is reached.

Knows what was said, and one model behind an OpenAI-compatible API. Does not know calls, topics, nor which calls are to get a note.
"""
