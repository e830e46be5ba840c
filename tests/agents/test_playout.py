"""Playback as Twilio's marks and clock tell it, held against a Twilio that knows the truth."""

from collections import deque

from hypothesis import given
from hypothesis import strategies as st

from hub.agents.playout import Playback

MS = 8  # bytes


class Speaker:
    """Twilio's side: plays what it was given, one ms at a time, and sends marks back."""

    def __init__(self) -> None:
        self.now_ms = 0
        self.queue: deque[bytes | str] = deque()
        self.heard: dict[str, bytearray] = {}
        self.echoes: list[tuple[int, str]] = []  # when each was sent back

    def pass_ms(self, duration: int) -> None:
        for _ in range(duration):
            self._echo()
            if self.queue:
                sound = self.queue.popleft()
                assert isinstance(sound, bytes)
                self.heard.setdefault(chr(sound[0]), bytearray()).extend(sound[:MS])
                if sound[MS:]:
                    self.queue.appendleft(sound[MS:])
            self.now_ms += 1
        self._echo()

    def clear(self) -> None:
        self.echoes += [(self.now_ms, mark) for mark in self.queue if isinstance(mark, str)]
        self.queue.clear()

    def _echo(self) -> None:
        while self.queue and isinstance(self.queue[0], str):
            self.echoes.append((self.now_ms, str(self.queue.popleft())))


steps = st.lists(
    st.one_of(
        st.tuples(st.just("say"), st.sampled_from("abc"), st.integers(1, 400)),
        st.tuples(st.just("wait"), st.just(""), st.integers(1, 300)),
        st.tuples(st.just("clear"), st.just(""), st.just(0)),
    ),
    max_size=30,
)


@given(steps, st.integers(0, 100))
def test_what_is_said_to_be_heard_was_heard_and_lags_by_no_more_than_the_marks_do(
    happened: list[tuple[str, str, int]], delay_ms: int
) -> None:
    speaker, playback = Speaker(), Playback()
    told: dict[str, bytearray] = {}

    def take_echoes() -> None:
        while speaker.echoes and speaker.echoes[0][0] + delay_ms <= speaker.now_ms:
            for played in playback.marked(speaker.echoes.pop(0)[1], speaker.now_ms):
                told.setdefault(played.item_id, bytearray()).extend(played.payload)

    for what, item, amount in happened:
        match what:
            case "say":
                sound = item.encode() * (amount * MS)
                speaker.queue.append(sound)
                speaker.queue.append(playback.add(item, sound, speaker.now_ms))
            case "wait":
                for _ in range(amount):
                    speaker.pass_ms(1)
                    take_echoes()
                    for played in playback.tick(speaker.now_ms):
                        told.setdefault(played.item_id, bytearray()).extend(played.payload)
            case "clear":
                played_last, cut = playback.clear(speaker.now_ms)
                for played in played_last:
                    told.setdefault(played.item_id, bytearray()).extend(played.payload)
                speaker.clear()
                for each in cut:
                    assert 0 <= each.heard_ms < each.sent_ms
                assert playback.quiet
        for name, heard in speaker.heard.items():
            known = told.get(name, bytearray())
            assert heard.startswith(known)  # never more than was heard
            # A mark on the way holds the position back, once for each that is waited for at a time.
            assert len(heard) - len(known) <= delay_ms * MS * max(1, len(happened))
            if delay_ms == 0:
                assert known == heard
            assert playback.heard_ms(name) * MS == len(known)


def test_marks_that_a_clear_sends_back_mean_nothing() -> None:
    playback = Playback()
    old = playback.add("a", b"\x01" * 800, 0)
    playback.clear(20)
    new = playback.add("b", b"\x02" * 800, 20)
    assert playback.marked(old, 40) == []
    assert (playback.heard_ms("a"), playback.heard_ms("b")) == (20.0, 0.0)
    assert [played.item_id for played in playback.marked(new, 120)] == ["b"]
    assert playback.quiet


def test_an_item_that_is_cut_was_heard_up_to_the_clock_and_never_past_its_audio() -> None:
    playback = Playback()
    playback.add("a", b"\x01" * 8 * 1000, 100)
    playback.add("b", b"\x02" * 8 * 500, 200)
    playback.tick(700)
    _, cut = playback.clear(720)
    assert [(each.item_id, each.heard_ms, each.sent_ms) for each in cut] == [("a", 620.0, 1000.0), ("b", 0.0, 500.0)]
    assert playback.span_ms("a") == (100.0, 720.0)
    assert playback.span_ms("b") is None


def test_a_clock_that_runs_on_without_marks_stops_at_the_next_one() -> None:
    playback = Playback()
    playback.add("a", b"\x01" * 800, 0)
    playback.add("a", b"\x01" * 800, 0)
    playback.tick(5000)
    assert playback.heard_ms("a") == 100.0
    assert playback.unplayed_ms == 100.0


def test_names_that_are_no_marks_of_ours_mean_nothing() -> None:
    playback = Playback()
    playback.add("a", b"\x01" * 800, 0)
    for name in ("", ":", "0", "0:", "0:x", "0:801", "1:800", "mark", "0:-1"):
        assert playback.marked(name, 50) == []
    assert playback.heard_ms("a") == 0.0


def test_where_no_mark_comes_back_the_clock_tells() -> None:
    playback = Playback()
    for number in range(30):
        playback.add("a", bytes([number]) * 200 * MS, 0)
    played = b"".join(piece.payload for now_ms in range(20, 5001, 20) for piece in playback.tick(now_ms))
    assert playback.heard_ms("a") == 5000
    assert played == b"".join(bytes([number]) * 200 * MS for number in range(25))
    assert [(cut.heard_ms, cut.sent_ms) for cut in playback.clear(5000)[1]] == [(5000, 6000)]
    name = playback.add("b", b"\x01" * 400 * MS, 6000)
    assert [len(piece.payload) // MS for piece in playback.tick(6300)] == [300], "from here on by the clock at once"
    assert [len(piece.payload) // MS for piece in playback.marked(name, 6410)] == [100]


def test_a_clock_that_leaps_while_a_mark_is_late_gives_the_mark_no_less_time() -> None:
    playback = Playback()
    playback.add("a", b"\x01" * 200 * MS, 0)
    playback.add("a", b"\x02" * 5000 * MS, 0)
    playback.tick(1000)
    playback.leap(60_000)
    playback.tick(61_100)
    assert playback.heard_ms("a") == 200  # late by 900 ms, not by a minute


def test_a_mark_that_comes_late_is_waited_for_as_long_as_it_may_come() -> None:
    playback = Playback()
    first = playback.add("a", b"\x01" * 200 * MS, 0)
    playback.add("a", b"\x02" * 5000 * MS, 0)
    for now_ms in range(20, 2001, 20):
        playback.tick(now_ms)
    assert playback.heard_ms("a") == 200  # Twilio may have been kept waiting itself
    playback.marked(first, 2000)
    for now_ms in range(2020, 3001, 20):
        playback.tick(now_ms)
    assert playback.heard_ms("a") == 1200
