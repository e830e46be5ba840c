"""The script: lines and times from a file, published in place of what a provider would recognize.

Knows the file and the time of the audio. Does not listen to the audio, and never claims to: its provider's name is `scripted`.
"""

from hub.vendors.scripted.script import Script, ScriptLine, ScriptTranscriber

__all__ = ["Script", "ScriptLine", "ScriptTranscriber"]
