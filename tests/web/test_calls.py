"""The list of calls over HTTP, and the search in it."""

from hub.tokens import mint
from tests.house import house
from tests.publishing import ScriptedCall


async def test_calls_are_found_by_what_was_said_at_any_time() -> None:
    async with house() as home:
        for number in range(60):
            call = ScriptedCall(home.state, f"CA{number:032d}")
            call.final("I want a refund" if number % 3 == 0 else "good morning")
            call.final("and my order")
            if number % 2:
                call.end()
        found = await home.json("/calls?q=Refund%20order")
        assert [each["callSid"] for each in found["calls"]] == [f"CA{number:032d}" for number in range(57, -1, -3)]
        assert {each["hits"] for each in found["calls"]} == {2}
        assert [hit["text"] for hit in found["calls"][0]["found"]] == ["I want a refund", "and my order"]
        assert (await home.json("/calls?q=nothing"))["calls"] == []


async def test_a_search_finds_only_what_the_token_allows() -> None:
    secret = "s" * 40
    async with house(secret=secret) as home:
        for sid in ("CA1", "CA2"):
            ScriptedCall(home.state, sid).final("a refund")
        headers = {"Authorization": f"Bearer {mint(secret, ['CA2'], 600)}"}
        async with home.session.get(home.url("/calls?q=refund"), headers=headers) as answer:
            assert [each["callSid"] for each in (await answer.json())["calls"]] == ["CA2"]


async def test_a_query_that_is_too_long_is_refused_in_a_sentence() -> None:
    async with house() as home, home.session.get(home.url("/calls?q=" + "x" * 201)) as answer:
        assert answer.status == 400
        assert (await answer.json())["error"] == {"code": "query", "message": "a search has at most 200 characters and 12 words"}
