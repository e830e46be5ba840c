"""How events are worded for people: one sentence per event, and times. Files and terminals use the same words.

Knows words. Does not know where they are shown. A new event type needs one line here, in `sentence`. What others chose, such as a
provider's reason or the answer of a tool, is isolated there, so that it acts on no other part of the sentence.
"""

from collections.abc import Callable, Iterable, Mapping
from json import dumps

from hub import events
from hub.audio.g711 import Track
from hub.text.foreign_text import isolated

OUTCOMES = {"result": "answered", "refused": "refused", "failed": "failed", "timeout": "took too long"}
"""What became of a tool call, as a verb."""

_UNNAMED: Mapping[Track, str] = {}


def clock(seconds: float) -> str:
    """Return call time as minutes, seconds and tenths, with hours only if there are any."""
    tenths = round(seconds * 10)
    minutes, rest = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    return (f"{hours}:" if hours else "") + f"{minutes:02d}:{rest // 10:02d}.{rest % 10}"


def figured(figures: events.CallStatistics, speakers: Mapping[Track, str] = _UNNAMED) -> str:
    """Return a call's figures in a sentence, without a full stop. `speakers`: how the transcript calls those that are known."""
    sides = figures.sides
    if not any(side.talk_seconds for side in sides.values()):
        return f"nobody spoke; silence {clock(figures.silence_seconds)}"
    names = {track: isolated(speakers.get(track, track)) for track in sides}

    def both(value: Callable[[events.SideStatistics], str]) -> str:
        return ", ".join(f"{names[track]} {value(side)}" for track, side in sides.items())

    said = [
        "talk: " + both(lambda side: f"{(side.talk_share or 0.0) * 100:.0f} %"),
        _monologue(sides, names),
        f"silence {clock(figures.silence_seconds)}",
        f"{figures.dead_airs} times dead air, {clock(figures.dead_air_seconds)}" if figures.dead_airs else "",
        f"cross-talk {clock(figures.cross_talk_seconds)}" if figures.cross_talk_seconds else "",
        "interruptions: " + both(lambda side: str(side.interruptions)) if any(side.interruptions for side in sides.values()) else "",
        "words a minute: " + both(lambda side: _known(side.words_per_minute, "")),
        "response: " + both(lambda side: _known(side.mean_response_seconds, " s", 1)),
    ]
    return "; ".join(filter(None, said))


def _monologue(sides: Mapping[Track, events.SideStatistics], names: Mapping[Track, str]) -> str:
    track, longest = max(sides.items(), key=lambda each: each[1].longest_monologue_seconds)
    began = clock(longest.longest_monologue_start or 0.0)
    return f"longest monologue: {names[track]} {clock(longest.longest_monologue_seconds)} at {began}"


def _known(value: float | None, unit: str, digits: int = 0) -> str:
    return "-" if value is None else f"{value:.{digits}f}{unit}"


def sentence(event: events.Event, *, brief: bool = False, speakers: Mapping[Track, str] = _UNNAMED) -> str | None:
    """Return what happened in a call, without a full stop. None for words, and for events that this version does not know.

    `brief` leaves out what only a reader of this one call needs: the arguments and the answer of a tool. `speakers`: as in `figured`.
    """
    match event:
        case events.CallStarted():
            numbers = " → ".join(isolated(number) for number in (event.from_, event.to) if number)
            who = f"{event.transcriber.provider} ({isolated(event.transcriber.model)})"
            work = f"answered by the agent {isolated(event.agent)}, {who}" if event.agent else f"transcribed by {who}"
            return f"call {event.call_sid}: " + ", ".join(part for part in (numbers, work) if part)
        case events.Statistics():
            return figured(event.figures, speakers)
        case events.CallEnded():
            return f"call ended: {isolated(event.reason)}, {clock(event.duration)}; {isolated(event.completeness.summary)}"
        case events.ConditionChanged():
            return f"the record so far: {isolated(event.completeness.summary)}"
        case events.Gap():
            return f"{event.track} from {clock(event.start)} to {clock(event.end)} was not transcribed: {isolated(event.reason)}"
        case events.Dtmf():
            return f"key {isolated(event.digit)}"
        case events.ToolCalled():
            return f"the agent uses {isolated(event.tool)}" + ("" if brief else f": {isolated(dumps(event.arguments, ensure_ascii=False))}")
        case events.ToolReturned():
            return f"{isolated(event.tool)} {OUTCOMES[event.outcome]}" + ("" if brief else f": {isolated(event.detail)}")
        case events.RecordingStarted():
            return "the call is recorded"
        case events.RecordingPaused():
            return "the recording is paused"
        case events.RecordingResumed():
            return "the recording goes on"
        case events.RecordingFailed():
            return f"nothing is recorded: {isolated(event.reason)}"
        case events.RecordingStored():
            return f"the recording is stored: {clock(event.seconds)}"
        case events.RecordingErased():
            return f"the recording is gone: {isolated(event.reason)}"
        case events.AgentInterrupted():
            return f"the agent was interrupted after {event.heard:.1f} of {event.generated:.1f} s"
        case events.Alert():
            who = f"{isolated(event.speaker)}: " if event.speaker else ""
            return f"alert {isolated(event.rule)}: {who}{isolated(event.summary)}"
        case events.AlertWithdrawn(reason="over"):
            return f"alert {isolated(event.rule)} is over: somebody speaks again"
        case events.AlertWithdrawn():
            return f"alert {isolated(event.rule)} is withdrawn: the final has other words"
        case events.Steered():
            return _steered(event)
        case events.Note():
            return _note(event)
        case events.AgentTrouble():
            return f"the agent's model {isolated(event.reason)}"
        case events.StreamFailed():
            return f"Twilio reports that a stream failed: {isolated(event.reason)}"
        case events.TranscriberLost():
            return f"{event.provider} lost: {isolated(event.reason)}"
        case events.TranscriberRestored():
            return f"{event.provider} transcribes again"
        case events.TranscriberSwitched():
            return f"{event.provider} transcribes from here: {isolated(event.reason)}"
        case events.WordsDoubted():
            return f"the words of {event.track} may be wrong: {isolated(event.reason)}"
        case events.Subscribed():
            return "the hub no longer has the earlier parts of this call"
        case _:
            return None


_STEERED = {
    "say": "have the agent say", "transfer": "transfer the call to", "hang-up": "hang up", "take-over": "have the call taken over by",
}  # fmt: skip


def _steered(event: events.Steered) -> str:
    """Return what somebody who steers the call wants, or what became of it."""
    wanted = " ".join(
        part for part in (_STEERED[event.action], event.text and f"“{isolated(event.text)}”", isolated(event.to or "")) if part
    )
    reason = f": {isolated(event.reason)}" if event.reason else ""
    if event.state == "asked":
        return f"{isolated(event.by)} wants to {wanted}{reason}"
    if event.state == "refused":
        return f"{isolated(event.by)} wanted to {wanted}, which was refused{reason}"
    return f"what {isolated(event.by)} wanted ({event.action}) {'is done' if event.state == 'done' else 'failed'}{reason}"


def _note(note: events.Note) -> str:
    """Return a note as one sentence. What it rests on is in the event."""
    parts = [f"note by {isolated(note.model)}: {_sentences(note.summary)}"]
    if note.next_steps:
        parts.append(f"next steps: {_sentences(note.next_steps)}")
    if note.open_questions:
        parts.append(f"open questions: {_sentences(note.open_questions)}")
    if not note.whole:
        parts.append("the model was not given all of this long call")
    return " — ".join(parts)


def _sentences(sentences: Iterable[events.NoteSentence]) -> str:
    return isolated(" ".join(each.text for each in sentences))
