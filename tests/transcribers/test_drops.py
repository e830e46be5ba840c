"""Two hundred broken connections a vendor: every word once, in order, on its track, at its time, or inside an announced gap."""

import pytest

from hub.transcribers.utterances import NotTranscribed, Recognized, RecognizedWord
from tests.bench.drops import OUTAGE_SECONDS, SMALL_REPLAY_MS, judged, run_calls, table
from tests.providers.script import said
from tests.providers.vendors import DEEPGRAM, MIXED, SEPARATE, Vendor

pytestmark = pytest.mark.one_python


@pytest.mark.timeout(60)
@pytest.mark.parametrize("vendor", [pytest.param(each, id=each.name) for each in (DEEPGRAM, SEPARATE, MIXED)])
async def test_every_word_arrives_exactly_once_whatever_the_connection_does(vendor: Vendor, capsys: pytest.CaptureFixture[str]) -> None:
    tally = await run_calls(vendor, calls=22)
    with capsys.disabled():
        print("\n" + table({vendor.name: tally}))
    assert tally.wrong == 0
    assert tally.drops >= 200
    assert tally.words == tally.heard + tally.in_gaps
    assert tally.repeats > 100, "the fakes did say finals twice"
    least = OUTAGE_SECONDS[1] - OUTAGE_SECONDS[0] - SMALL_REPLAY_MS / 1000
    outages = 2  # seeds 3 and 13
    assert 0.9 < tally.gap_seconds / (outages * 2 * least) < 2.5, "a gap is what the buffer could not hold, not much more"
    assert min(tally.kinds[kind] for kind in ("amid audio", "amid answers", "handshake", "burst", "outage", "refused or hung")) > 5
    assert tally.kinds["before the end"] > 5


class TestTheJudge:
    """It would see each of these."""

    def test_it_finds_what_is_wrong(self) -> None:
        script = {"inbound": said("a b c d e", 1.0), "outbound": []}
        words = [RecognizedWord(word.text, word.start, word.end) for word in script["inbound"]]
        good = Recognized("inbound", 1.0, 2.45, "a b c d e", settled=True, closes=True, words=tuple(words))
        assert judged(script, [good]).wrong == 0
        assert judged(script, [good, good]).doubled == 5
        assert judged(script, []).lost == 5
        assert judged(script, [NotTranscribed("inbound", 0.0, 1.9, "away")]).lost == 2
        assert judged(script, [NotTranscribed("inbound", 0.0, 1.9, "away")]).in_gaps == 3
        assert judged(script, [NotTranscribed("outbound", 0.0, 9.0, "away")]).lost == 5
        swapped = Recognized("inbound", 1.0, 2.45, "b a", settled=True, closes=True, words=(words[1], words[0]))
        assert judged(script, [swapped]).misplaced == 1
        elsewhere = Recognized("outbound", 1.0, 2.45, "a", settled=True, closes=True, words=(words[0],))
        assert judged(script, [elsewhere]).misplaced == 1
        late = Recognized("inbound", 1.2, 1.45, "a", settled=True, closes=True, words=(RecognizedWord("a", 1.2, 1.45),))
        assert judged(script, [late]).mistimed == 1
        untold = Recognized("inbound", 1.0, 1.25, "a b", settled=True, closes=True, words=(words[0],))
        assert judged(script, [untold]).misplaced == 1
