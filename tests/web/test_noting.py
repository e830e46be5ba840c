"""What sockets and requests leave in the audit log, in the order in which they did it."""

import asyncio
import time
from dataclasses import replace

from hub.archive.access_log import AccessLog
from hub.archive.archive import Access
from hub.tokens import Grant
from hub.topics.outbox import Outbox
from hub.web.doors.listening_in import ListeningIn
from hub.web.doors.protocol import Subscribe
from hub.web.doors.subscriptions import Subscriptions
from hub.web.sockets import UnacknowledgedBytes
from tests.house import house
from tests.media import CALL
from tests.publishing import FROM, ScriptedCall
from tests.web.test_floods import Sink
from tests.web.watchers import OTHER, THIRD

ALICE = Grant(frozenset({"*"}), subject="alice")


async def test_watching_replaying_listing_and_listening_are_noted_and_no_number_is() -> None:
    async with house() as home:
        access_log = AccessLog(time.time, lambda: None)
        state = replace(home.state, past=replace(home.state.past, access_log=access_log))
        outbox = Outbox(Sink(), state.rounds, lambda payload: payload, lambda reason: None)
        mine = Subscriptions(state, outbox, ALICE, lambda: None)
        ScriptedCall(state)
        ScriptedCall(state, OTHER, "+4930123456").end()
        ScriptedCall(state, THIRD, "+4930123456", "+4930654321")
        for request in (Subscribe(call_sid=OTHER), Subscribe(number=FROM), Subscribe(calls="all"), Subscribe(call_sid="CA-unknown")):
            list(mine.subscribe(request))
        assert mine.follow_bare(THIRD)
        listening = ListeningIn(state, outbox, mine, UnacknowledgedBytes(None))
        listening.listen(THIRD, allowed=True)
        listening.listen(CALL, allowed=False)
        rows = access_log.take()
        assert [(row.action, row.call_sid, row.detail) for row in rows] == [
            ("replay", OTHER, ""), ("watch", CALL, "by its number"), ("list", "", ""), ("watch", THIRD, ""), ("listen", THIRD, ""),
        ]  # fmt: skip
        assert {row.subject for row in rows} == {"alice"}
        listening.close()
        mine.close()


async def test_an_export_is_noted_before_it_is_answered_and_its_headers_alone_are_none() -> None:
    async with house() as home:
        ScriptedCall(home.state).final("hello")
        access_log = home.state.access_log
        noted: list[Access] = []

        def store() -> None:
            rows = access_log.take()
            noted.extend(rows)
            access_log.stored_all(rows)

        access_log._wake = lambda: asyncio.get_running_loop().call_soon(store)
        url = home.url(f"/calls/{CALL}/transcript.csv")
        async with home.session.head(url) as answer:
            tag = answer.headers["ETag"]
        async with home.session.get(url, headers={"If-None-Match": tag}) as answer:
            assert (answer.status, noted) == (304, [])
        async with home.session.get(f"{url}?after=1") as answer:
            assert [(row.action, row.call_sid, row.detail) for row in noted] == [("export", CALL, "csv")]
            assert "hello" in await answer.text()
