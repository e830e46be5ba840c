"""Whatever is written again, sealed and opened in between: a call's log is each event once, in order."""

from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.archive.archive import Archive
from hub.archive.opening import open_archive
from tests.archive.made import change, texts_of

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.sampled_from(["CA1", "CA2"]), st.integers(0, 3), st.integers(0, 4), st.booleans()),
        st.tuples(st.just("seal")),
        st.tuples(st.just("open")),
    ),
    max_size=25,
)
"""`write`: the call, how many events it repeats, how many are new, and whether the call has ended then."""


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_any_order_of_writing_sealing_and_opening_keeps_each_event_once(steps: list[Any], tmp_path_factory: Any) -> None:
    place = tmp_path_factory.mktemp("orders") / "calls.db"
    archive, known = open_archive(str(place)), {}
    for step in steps:
        match step:
            case "write", sid, again, new, ended:
                texts = known.setdefault(sid, [])
                after = max(0, len(texts) - again)
                texts += [f"{sid} {len(texts) + i}" for i in range(new)]
                archive.write([change(sid, *texts[after:], after=after, at=float(sid[2:]), ended_at=99.0 if ended else None)])
            case ("seal",):
                archive.seal()
            case _:
                archive = opened_again(archive, place)
        for sid, texts in known.items():
            assert texts_of(archive.log(sid)) == texts
    archive.close()


def opened_again(archive: Archive, place: Path) -> Archive:
    """Close an archive, and open it."""
    archive.close()
    return open_archive(str(place))
