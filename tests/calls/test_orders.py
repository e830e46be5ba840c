"""Orders for one agent's call, without a hub around it: each is done once, by one at a time, and is told of."""

import asyncio

import pytest

from hub.agents.voice_model import AgentAudio, AgentText, CreateResponse, ResponseStarted, ToolCall
from hub.calls.order import BadOrder, NotTaken, Order, Target, spoken_text
from hub.calls.orders import MOST_ORDERS, ORDERS_SECONDS
from hub.calls.past_orders import GONE, known
from hub.calls.publisher import Publisher
from hub.errors import AccountError
from hub.events import CallStarted, Steered, ToolReturned, TranscriberName, decode
from hub.topics.registry import Registry
from tests.agents.room import voice
from tests.calls.agent_desk import ACCOUNT, AGENT, Desk, desk
from tests.calls.answering import speech
from tests.media import CALL

ADA, BOB = "ada@example.com", "bob@example.com"
SALES = Target(whom="+14155550177", label="sales")


def say(text: str = "We close early today.", **more: str) -> Order:
    return Order(**({"id": "o1", "action": "say", "by": ADA, "text": text} | more))  # type: ignore[arg-type]


def leave(action: str, **more: str) -> Order:
    return Order(**({"id": "o1", "action": action, "by": ADA, "when": "now"} | more))  # type: ignore[arg-type]


def told(home: Desk) -> list[tuple[str, str, str | None]]:
    return [(event.order, event.state, event.reason) for event in home.events(Steered)]


async def settled(home: Desk) -> Steered:
    """Wait until it is known what became of the newest order."""
    while (newest := home.events(Steered)[-1]).state == "asked":
        await asyncio.sleep(0.001)
    return newest  # type: ignore[no-any-return]


async def test_an_order_is_told_of_with_who_gave_it_when_it_is_taken_and_when_it_is_done() -> None:
    async with desk() as home:
        asked = home.call.orders.take(say(), None)
        assert (asked.state, asked.by, asked.action, asked.text, asked.offset) == ("asked", ADA, "say", "We close early today.", 2)
        home.emit(*speech(400, "We close early today."))
        home.frames(2600)
        done = await settled(home)
        assert (done.order, done.state, done.by, done.text, done.reason) == ("o1", "done", ADA, None, None)
        assert done.time >= asked.time
        (created,) = [each for each in home.model.sent if isinstance(each, CreateResponse)]
        assert created.instructions.endswith("nothing else: We close early today.")


async def test_of_two_supervisors_the_first_one_wins_and_the_second_one_is_told_who_that_is() -> None:
    async with desk() as home:
        home.call.orders.take(say(), None)
        second = home.call.orders.take(leave("hang-up", id="o2", by=BOB), None)
        assert (second.state, second.by) == ("refused", BOB)
        assert second.reason == f"{ADA} has the agent say something now: wait until that is done"
        assert home.account.asked == []


@pytest.mark.parametrize(
    ("order", "target", "asked", "reason"),
    [
        (leave("hang-up"), None, ("hang_up", ACCOUNT, CALL), "supervisor-hung-up"),
        (leave("transfer", to="sales"), SALES, ("connect", ACCOUNT, CALL, "+14155550177", "sales", ""), "transferred"),
        (
            leave("take-over", to="+14155550188"), Target(whom="+14155550188", label="Ada"),
            ("connect", ACCOUNT, CALL, "+14155550188", "Ada", "desk"), "transferred",
        ),
        (
            leave("transfer", to="agent:desk"), Target(agent=AGENT),
            ("connect_agent", ACCOUNT, CALL, "desk", "+14155550123", "Sorry.", ""), "transferred",
        ),
    ],
)  # fmt: skip
async def test_the_agent_leaves_at_once_and_the_call_ends_for_that_reason(
    order: Order, target: Target | None, asked: tuple[str, ...], reason: str
) -> None:
    async with desk() as home:
        home.emit(ResponseStarted("r1"), voice(4000))
        home.frames(200)
        home.call.orders.take(order, target)
        await home.running
        assert home.account.asked == [asked]
        assert home.model.closed
        home.call.end()
        assert [(event.state, event.to) for event in home.events(Steered)] == [("asked", order.to or None), ("done", order.to or None)]
        assert home.end.reason == reason


async def test_an_order_for_the_next_turn_waits_until_the_agent_has_been_heard() -> None:
    async with desk() as home:
        home.emit(ResponseStarted("r1"), AgentAudio("r1", "i1", b"\x01" * 8 * 600), AgentText("r1", "i1", "One moment."))
        home.call.orders.take(leave("hang-up", when="turn"), None)
        home.frames(200)
        await asyncio.sleep(0.01)
        assert home.account.asked == []
        home.emit(*speech(600, "One moment.")[2:])
        home.frames(2600)
        assert (await settled(home)).state == "done"
        assert home.account.asked == [("hang_up", ACCOUNT, CALL)]


async def test_what_twilio_refuses_has_failed_and_the_agent_goes_on() -> None:
    async with desk() as home:
        home.account.error = AccountError("says 500", retryable=True)
        home.call.orders.take(leave("hang-up"), None)
        failed = await settled(home)
        assert (failed.state, failed.reason) == ("failed", "Twilio's REST API says 500")
        assert home.call.answered
        assert home.call.holds
        home.account.error = None
        home.call.orders.take(leave("hang-up", id="o2"), None)
        assert (await settled(home)).state == "done"


async def test_what_the_hub_itself_fails_on_has_failed_and_the_agent_goes_on() -> None:
    async with desk() as home:
        home.account.error = RuntimeError("a mistake")
        home.call.orders.take(leave("hang-up"), None)
        assert (await settled(home)).reason == "the hub failed on this order"
        assert home.call.answered


async def test_a_stream_that_twilio_ends_before_it_answers_says_that_the_order_is_done() -> None:
    async with desk() as home:
        home.account.answers.clear()
        home.call.orders.take(leave("hang-up"), None)
        while not home.account.asked:
            await asyncio.sleep(0.001)
        home.stream.stop()
        await home.running
        assert told(home) == [("o1", "asked", None), ("o1", "done", None)]


async def test_an_order_that_the_call_outran_has_failed() -> None:
    async with desk() as home:
        home.call.orders.take(say(), None)
        home.stream.stop()
        await home.running
        assert told(home) == [("o1", "asked", None), ("o1", "failed", "the agent's part of the call ended first")]
        late = home.call.orders.take(say(id="o2"), None)
        assert (late.state, late.reason) == ("refused", "the agent has left this call")


async def test_an_agent_that_is_lost_takes_the_text_with_it() -> None:
    async with desk() as home:
        home.call.orders.take(say(), None)
        home.model.lose("broke off")
        await home.running
        assert told(home)[-1] == ("o1", "failed", "the agent's part of the call ended first")


async def test_an_agent_cannot_leave_by_itself_while_it_is_made_to_leave() -> None:
    async with desk() as home:
        home.account.answers.clear()
        home.call.orders.take(leave("transfer", to="sales"), SALES)
        while not home.account.asked:
            await asyncio.sleep(0.001)
        home.emit(ResponseStarted("r1"), ToolCall("r1", "c1", "hang_up", "{}"), *speech(0, "")[4:])
        home.frames(600)
        while not home.events(ToolReturned):
            home.frame()
            await asyncio.sleep(0.001)
        assert home.events(ToolReturned)[0].detail == "the call is being ended or passed on already"
        home.account.answers.set()
        assert (await settled(home)).state == "done"
        assert len(home.account.asked) == 1


async def test_an_order_is_refused_while_the_agent_leaves_by_itself() -> None:
    async with desk() as home:
        home.account.answers.clear()
        home.emit(ResponseStarted("r1"), ToolCall("r1", "c1", "hang_up", "{}"), *speech(0, "")[4:])
        while not home.account.asked:
            home.frame()
            await asyncio.sleep(0.001)
        refused = home.call.orders.take(leave("hang-up"), None)
        assert (refused.state, refused.reason) == ("refused", "the agent is leaving this call already")
        home.account.answers.set()


async def test_an_order_is_known_by_its_id_and_by_who_gave_it() -> None:
    async with desk() as home:
        asked = home.call.orders.take(say(), None)
        assert known(home.record, say()) == asked
        assert known(home.record, say(id="o2")) is None
        for other in (say(by=BOB), leave("hang-up")):
            with pytest.raises(BadOrder, match="another one's"):
                known(home.record, other)


async def test_too_many_orders_are_not_taken_and_leave_nothing_in_the_call() -> None:
    async with desk() as home:
        for number in range(MOST_ORDERS):
            home.call.orders.refuse(say(id=f"o{number}"), "no")
        with pytest.raises(NotTaken, match="30 orders in 60 s"):
            home.call.orders.take(say(id="more"), None)
        assert len(home.events(Steered)) == MOST_ORDERS
        home.now += ORDERS_SECONDS
        assert home.call.orders.take(say(id="more"), None).state == "asked"


async def test_an_order_of_a_hub_that_is_gone_is_told_of_when_the_agent_comes_back() -> None:
    registry = Registry(keep_seconds=60, clock=lambda: 0.0, wall=lambda: 0.0, soon=lambda _: None)
    asked = Steered(call_sid=CALL, order="o1", action="say", state="asked", by=ADA, text="We close early today.", time=1.0)
    Publisher(registry.open(CALL), registry).publish(asked)
    async with desk(registry=registry) as home:
        (_, failed) = home.events(Steered)
        assert (failed.state, failed.reason, failed.order, failed.text) == ("failed", GONE, "o1", None)
        assert home.events(CallStarted)


@pytest.mark.parametrize("people_go_on", [True, False])
def test_an_order_of_a_hub_that_is_gone_is_told_of_when_people_go_on_or_the_call_ends(*, people_go_on: bool) -> None:
    registry = Registry(keep_seconds=60, clock=lambda: 0.0, wall=lambda: 0.0, soon=lambda _: None)
    publisher = Publisher(registry.open(CALL), registry)
    name = TranscriberName(provider="scripted", model="test")
    publisher.began("MZ1", {}, ["inbound"], name, agent="desk")
    publisher.publish(Steered(call_sid=CALL, order="o1", action="hang-up", state="asked", by=ADA, time=1.0))
    if people_go_on:
        publisher.began("MZ2", {}, ["inbound"], name)
    publisher.ended("completed", 1000.0, {}, complete=True)
    told = [event for payload in publisher.record.topic.log.after(0) if isinstance(event := decode(payload), Steered)]
    assert [(each.state, each.reason) for each in told] == [("asked", None), ("failed", GONE)]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("  \n ", "empty"),
        ("word " * 101, "too long"),
        ("stop\x07", "characters that nobody can say"),
        ("turn \u202eround", "characters that nobody can say"),
        ("half \ud800", "characters that nobody can say"),
        ("<speak>Hello</speak>", "markup"),
        ('Wait <break time="1s"/> here', "markup"),
        ("<!-- hidden --> words", "markup"),
    ],
)
def test_a_text_that_nobody_can_say_is_refused_with_why(text: str, problem: str) -> None:
    with pytest.raises(BadOrder, match=problem):
        spoken_text(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (" We close\nearly\ttoday. ", "We close early today."),
        ("If a < b and c > d, wait.", "If a < b and c > d, wait."),
        ("na\u200cme", "na\u200cme"),  # a joiner, which some scripts need
        ("x" * 500, "x" * 500),
    ],
)
def test_a_text_becomes_one_line_of_plain_words(text: str, words: str) -> None:
    assert spoken_text(text) == words


@pytest.mark.parametrize("order", [say(id=""), say(id="a b"), say(id="x" * 65), leave("transfer"), leave("take-over")])
def test_an_order_that_makes_no_sense_is_refused(order: Order) -> None:
    with pytest.raises(BadOrder):
        order.check()
