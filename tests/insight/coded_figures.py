"""The figures of a coded call, worked out from its script. See `tests.bench.chaos.code`."""

from hub.audio.g711 import TRACKS
from hub.events import CallStatistics, SideStatistics
from tests.bench.chaos.code import SPEECH_FRAMES, SPOKEN_WORDS, TURN_FRAMES, WORD_FRAMES, Script


def seconds(frames: int) -> float:
    return frames * 20 / 1000


def figures_of(script: Script, rounds: int) -> CallStatistics:
    """Return the figures of so many rounds. In each, outbound begins before inbound ends, and then both are quiet."""
    turn, quiet = SPOKEN_WORDS * WORD_FRAMES, script.quiet_frames
    starts, answers = {"inbound": 0.0, "outbound": seconds(TURN_FRAMES)}, {"inbound": rounds - 1, "outbound": rounds}
    pauses = {"inbound": seconds(quiet), "outbound": 0.0}
    return CallStatistics(
        start=0.0,
        seconds=seconds(rounds * script.round_frames),
        silence_seconds=seconds(rounds * quiet),
        longest_silence_seconds=seconds(quiet),
        longest_silence_start=seconds(SPEECH_FRAMES),
        dead_airs=0,
        dead_air_seconds=0.0,
        cross_talk_seconds=seconds(rounds * (turn - TURN_FRAMES)),
        unknown_seconds=0.0,
        sides={
            track: SideStatistics(
                talk_seconds=seconds(rounds * turn),
                talk_share=0.5,
                words=rounds * SPOKEN_WORDS,
                words_per_minute=60 / seconds(WORD_FRAMES) if seconds(rounds * turn) >= 5 else None,
                interruptions=0,
                longest_monologue_seconds=seconds(turn),
                longest_monologue_start=starts[track],
                responses=answers[track],
                mean_response_seconds=pauses[track],
                longest_response_seconds=pauses[track],
            )
            for track in TRACKS
        },
    )
