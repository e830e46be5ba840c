"""AssemblyAI: live speech-to-text, one session per track or one for both tracks mixed.

Knows the vendor's wire, its turns and its settings. Does not know calls, subscribers or other vendors.
"""
