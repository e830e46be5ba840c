"""`GET /calls`: pages, filters and the search, in calls that are in memory."""

import asyncio
from typing import Any
from urllib.parse import quote

import pytest

from tests.house import House, house
from tests.publishing import FROM, ScriptedCall
from tests.web.watchers import SECRET, token

NOON = 1_795_608_000.0
"""2026-11-25T12:00:00Z."""

DAY = 86400.0


def begin(home: House, sid: str, at: float = NOON, **more: Any) -> ScriptedCall:
    home.state.registry.wall = lambda: at
    return ScriptedCall(home.state, sid, **more)


async def sids(home: House, query: str) -> list[str]:
    return [call["callSid"] for call in (await home.json(f"/calls?{query}"))["calls"]]


async def refused(home: House, query: str) -> str:
    async with home.session.get(home.url(f"/calls?{query}")) as answer:
        assert answer.status == 400, await answer.text()
        return str((await answer.json())["error"]["message"])


async def test_pages_of_the_list_have_each_call_once_and_the_newest_first() -> None:
    async with house() as home:
        for number in range(5):
            ScriptedCall(home.state, f"CA{number}")
        seen: list[list[str]] = []
        query = "limit=2"
        while query:
            told = await home.json(f"/calls?{query}")
            seen.append([call["callSid"] for call in told["calls"]])
            if len(seen) == 1:
                ScriptedCall(home.state, "CA5")
            query = f"limit=2&after={told['next']}" if told["next"] else ""
        assert seen == [["CA4", "CA3"], ["CA2", "CA1"], ["CA0"]]
        assert (await home.json("/calls?limit=6"))["next"] is None
        assert await sids(home, "after=1") == []
        assert (await sids(home, f"after={10**17}"))[0] == "CA5"


async def test_a_list_without_a_limit_has_a_hundred_calls() -> None:
    async with house() as home:
        for number in range(101):
            ScriptedCall(home.state, f"CA{number}")
        told = await home.json("/calls")
        assert (len(told["calls"]), told["calls"][0]["callSid"], told["calls"][-1]["callSid"]) == (100, "CA100", "CA1")
        assert await sids(home, f"after={told['next']}") == ["CA0"]


async def test_a_page_of_a_token_has_its_calls_only() -> None:
    async with house(secret=SECRET) as home:
        for number in range(6):
            ScriptedCall(home.state, f"CA{number}", from_=f"+1415555010{number % 2}", to=None)
        headers = {"Authorization": f"Bearer {token('+14155550101', 'CA0')}"}
        async with home.session.get(home.url("/calls?limit=3"), headers=headers) as answer:
            told = await answer.json()
        assert [call["callSid"] for call in told["calls"]] == ["CA5", "CA3", "CA1"]
        async with home.session.get(home.url(f"/calls?after={told['next']}"), headers=headers) as answer:
            assert [call["callSid"] for call in (await answer.json())["calls"]] == ["CA0"]
        async with home.session.get(home.url(f"/calls?number={quote('+14155550100')}"), headers=headers) as answer:
            assert [call["callSid"] for call in (await answer.json())["calls"]] == ["CA0"], "a filter allows nothing more"


async def test_a_list_is_of_the_time_that_is_asked_for() -> None:
    async with house() as home:
        for at in range(3):
            begin(home, f"CA{at}", NOON + at * DAY)
        assert await sids(home, "from=2026-11-26") == ["CA2", "CA1"]
        assert await sids(home, "to=2026-11-26") == ["CA0"]
        assert await sids(home, "from=2026-11-26&to=2026-11-27") == ["CA1"]
        assert await sids(home, "from=2026-11-25T12:00:00Z&to=2026-11-26T12:00:00Z") == ["CA0"], "`to` is exclusive"
        assert await sids(home, "from=2026-11-25T13:00:01+01:00") == ["CA2", "CA1"], "whether the plus sign is encoded"
        assert await sids(home, f"from={quote('2026-11-25T13:00:00+01:00')}") == ["CA2", "CA1", "CA0"], "or not"
        assert await sids(home, "from=0001-01-01&to=9999-12-31") == ["CA2", "CA1", "CA0"]


@pytest.mark.parametrize("number", [FROM, FROM.replace("+", "%2B"), "+1%20(415)%20555-0123", "tel:+1-415-555-0123", "001%20415%205550123"])
async def test_a_number_is_asked_for_in_any_spelling(number: str) -> None:
    async with house() as home:
        ScriptedCall(home.state, "CA1")
        ScriptedCall(home.state, "CA2", from_="+4930123456", to=FROM)
        ScriptedCall(home.state, "CA3", from_="+4930123456")
        assert await sids(home, f"number={number}") == ["CA2", "CA1"]


async def test_calls_are_asked_for_by_state_and_agent() -> None:
    async with house() as home:
        whole, broken, _ = ScriptedCall(home.state, "CA1"), ScriptedCall(home.state, "CA2"), ScriptedCall(home.state, "CA3")
        answered = ScriptedCall(home.state, "CA4", agent="sales")
        broken.gap(0.0, 5.0)
        for call in (whole, broken):
            call.end()
        assert await sids(home, "state=live") == ["CA4", "CA3"]
        assert await sids(home, "live=true&agent=sales") == ["CA4"]
        assert await sids(home, "live=false") == ["CA2", "CA1"]
        assert await sids(home, "state=incomplete") == ["CA2"]
        assert await sids(home, "state=complete&live=false") == ["CA1"]
        assert await sids(home, "agent=Nobody") == []
        assert (await home.json("/calls?agent=sales"))["calls"][0]["agent"] == "sales"
        assert (await home.json("/calls/CA1"))["agent"] is None
        answered.end()
        assert await sids(home, "agent=sales&live=false") == ["CA4"]


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("from=yesterday", "from must be a date or a moment in ISO 8601, such as 2026-11-21 or 2026-11-21T10:00:00Z"),
        ("to=2026-13-01", "to must be a date or a moment in ISO 8601, such as 2026-11-21 or 2026-11-21T10:00:00Z"),
        ("to=", "to must be a date or a moment in ISO 8601, such as 2026-11-21 or 2026-11-21T10:00:00Z"),
        ("from=2026-11-22&to=2026-11-21", "from must not be later than to"),
        ("number=anonymous", "number must be a phone number with its country code, such as +14155550100, or a SIP address"),
        ("number=4155550100", "number must be a phone number with its country code, such as +14155550100, or a SIP address"),
        ("state=whole", "state must be one of complete, incomplete, not-transcribed, attention and live"),
        ("live=yes", "live must be true or false"),
        ("state=live&live=false", "state=live asks for live calls and live=false for calls that are over"),
        ("after=CA1", "after must be the next of the page before"),
        ("limit=-1", "limit must be a number from 1 to 1000"),
        ("Q=refund", "'Q' is not a parameter of this address: it takes only q, from, to, number, agent, queue, state, live, after, limit"),
        ("q=" + "x" * 201, "a search has at most 200 characters and 12 words"),
        ("q=a+b+c+d+e+f+g+h+i+j+k+l+m", "a search has at most 200 characters and 12 words"),
    ],
)
async def test_nonsense_is_refused_in_a_sentence(query: str, sentence: str) -> None:
    async with house() as home:
        assert await refused(home, query) == sentence


async def test_a_search_has_the_same_pages_and_filters() -> None:
    async with house() as home:
        for at in range(6):
            call = begin(home, f"CA{at}", NOON + at * DAY)
            call.final("I want a refund" if at % 2 else "hello")
        told = await home.json("/calls?q=refund&limit=2")
        assert [call["callSid"] for call in told["calls"]] == ["CA5", "CA3"]
        assert await sids(home, f"q=refund&limit=2&after={told['next']}") == ["CA1"]
        assert await sids(home, "q=refund&to=2026-11-27") == ["CA1"]
        assert await sids(home, "q=refund&number=%2B4930123456") == []


async def test_a_search_says_where_the_words_stand() -> None:
    async with house() as home:
        ScriptedCall(home.state, "CA1").final("😀 A REFUND, don\u2019t wait", start=7.5)
        (call,) = (await home.json("/calls?q=refund+dont"))["calls"]
        (hit,) = call["found"]
        assert (call["hits"], hit["offset"], hit["start"], hit["speaker"], hit["track"]) == (1, 2, 7.5, "caller", "inbound")
        assert hit["matches"] == [[5, 6], [13, 5]], "in UTF-16 code units"


@pytest.mark.parametrize(
    "asked",
    ["NEAR(refund, 2)", "refund OR nothing", "refund AND", "text:refund", 'refund" nothing', "refund; DROP TABLE calls", "refund %00x"],
)
async def test_what_another_search_would_take_for_syntax_is_just_words(asked: str) -> None:
    async with house() as home:
        ScriptedCall(home.state, "CA1").final("a refund")
        ScriptedCall(home.state, "CA2").final(asked)
        assert await sids(home, f"q={quote(asked)}") == ["CA2"]


async def test_searches_run_one_at_a_time_and_lists_do_not_wait_for_them() -> None:
    async with house() as home, asyncio.TaskGroup() as group:
        ScriptedCall(home.state, "CA1").final("a refund")
        await home.state.searches.acquire()  # as one that runs
        late = group.create_task(sids(home, "q=refund"))
        while not (home.state.searches._waiters or late.done()):
            await asyncio.sleep(0)
        assert await sids(home, "") == ["CA1"]
        assert not late.done()
        home.state.searches.release()
        assert await late == ["CA1"]


@pytest.mark.parametrize("asked", ["", " ", "*", '"', "%", "(-)", "\x00"])
async def test_a_search_without_words_is_the_list(asked: str) -> None:
    async with house() as home:
        ScriptedCall(home.state, "CA1")
        (call,) = (await home.json(f"/calls?q={quote(asked)}"))["calls"]
        assert "hits" not in call


async def test_a_list_is_of_a_queue_or_of_whoever_answers_or_of_what_needs_attention() -> None:
    async with house() as home:
        first = ScriptedCall(home.state, "CA1", parameters={"agent": "Maya", "queue": "billing"})
        ScriptedCall(home.state, "CA2", agent="sales", parameters={"agent": "sales", "queue": "orders"})
        ScriptedCall(home.state, "CA3", parameters={"queue": "billing"})
        assert await sids(home, "queue=billing") == ["CA3", "CA1"]
        assert await sids(home, "queue=billing&agent=Maya") == ["CA1"]
        assert await sids(home, "agent=sales") == ["CA2"]
        assert await sids(home, "q=billing") == ["CA3", "CA1"]
        assert await sids(home, "state=attention") == []
        first.lost()
        assert await sids(home, "state=attention") == ["CA1"]
        told = await home.json("/calls/CA1")
        assert (told["person"], told["queue"], told["agent"]) == ("Maya", "billing", None)
        assert [(each["kind"], each["about"]) for each in told["attention"]] == [("provider-lost", "scripted")]
        first.end()
        assert await sids(home, "state=attention") == []
        assert (await home.json("/calls/CA1"))["attention"] == []
        assert "state=attention asks for live calls" in await refused(home, "state=attention&live=false")
