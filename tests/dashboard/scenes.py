"""What happens in the calls that the dashboard is looked at with: a support call word by word, a call centre, a storm."""

from collections.abc import Sequence

from hub.audio.g711 import Track
from hub.transcribers.transcriber import Lost, Restored
from hub.transcribers.utterances import NotTranscribed, Recognized, RecognizedWord
from tests.scripted import ScriptedTranscriber

NUMBERS = {"from": "+14155550123", "to": "+14155550100", "direction": "inbound", "outboundTrackLabel": "Maya (agent)"}
"""Fictional numbers, as Twilio would pass them by <Parameter>."""

SUPPORT: Sequence[tuple[Track, float, float, str]] = (
    ("outbound", 0.8, 3.6, "Good morning, this is Maya at Northwind Travel. How can I help?"),
    ("inbound", 4.1, 9.2, "Hi Maya. I booked two tickets to Lisbon for Friday, and the confirmation never arrived."),
    ("outbound", 9.9, 12.4, "I am sorry about that. Do you have the booking number?"),
    ("inbound", 13.0, 17.5, "Yes, it is K 7 R, 4 4, Q. At least that is what I wrote down."),
    ("outbound", 17.9, 18.5, "Thank you."),
    ("outbound", 19.6, 26.4, "I can see it. The address on it ends in dot con, with an n, so our message had nowhere to go."),
    ("inbound", 25.1, 28.0, "Oh no. I typed that on my phone, on the train."),
    ("outbound", 28.6, 33.9, "It happens every day. I have corrected it and sent the tickets again; they should be there by now."),
    ("inbound", 36.2, 41.0, "They are! Both of them. Could I also move the flight home from Sunday to Monday?"),
    (
        "outbound",
        41.6,
        49.3,
        "Of course. There is one at ten past nine and one at twenty to six. The later one costs thirty two euros more for both.",
    ),
    ("inbound", 50.0, 52.6, "The later one, please. It is worth it for the sleep."),
    ("outbound", 53.4, 58.8, "Done. You will find the new times in your mail. Is there anything else that I can do?"),
)


def said(script: ScriptedTranscriber, track: Track, start: float, end: float, text: str, doubt: str = "") -> None:
    """Say a whole utterance at once, with its words; those in `doubt` are ones the provider is unsure of."""
    parts = text.split()
    step = (end - start) / len(parts)
    words = tuple(
        RecognizedWord(word, start + at * step, start + (at + 0.9) * step, 0.38 if doubt and word.strip(".,?!") in doubt.split() else 0.97)
        for at, word in enumerate(parts)
    )
    script.hear(Recognized(track, start, end, text, settled=True, closes=True, confidence=0.95, words=words))


def support(script: ScriptedTranscriber, lines: int = len(SUPPORT)) -> None:
    """The first lines of a support call, with a provider that was lost for a moment in between."""
    for at, (track, start, end, text) in enumerate(SUPPORT[:lines]):
        if at == 8:
            script.hear(Lost(script.provider, "the connection broke (1011)", 1))
            script.hear(Lost(script.provider, "the connection broke (1011)", 2))
            script.hear(Restored(script.provider, "reconnected", 2))
            script.hear(NotTranscribed("inbound", 34.4, 35.9, "the provider was away for longer than the hub keeps audio"))
        said(script, track, start, end, text, doubt="K 7 R 4 Q" if at == 3 else "")
