"""Room for peers that have proved nothing: a newcomer always gets in, and the address that holds the most makes place."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.web.unproved import Unproved, counted_as


class Caller:
    """A peer that knows whether it was dropped."""

    def __init__(self, name: str = "", *, has_spoken: bool = True) -> None:
        self.name = name
        self.has_spoken = has_spoken
        self.dropped = False

    def drop(self) -> None:
        self.dropped = True


def enter(room: Unproved, *addresses: str) -> list[Caller]:
    callers = [Caller(address) for address in addresses]
    for caller in callers:
        room.enter(caller, caller.name)
    return callers


def left(callers: list[Caller]) -> str:
    return "".join(caller.name for caller in callers if not caller.dropped)


def test_the_oldest_of_the_address_that_holds_the_most_makes_place() -> None:
    room = Unproved(4)
    callers = enter(room, "a", "b", "b", "c", "t")
    assert [caller.dropped for caller in callers] == [False, True, False, False, False]
    assert len(room) == 4
    assert room.dropped == 1


def test_one_address_may_have_all_of_the_room_until_others_come() -> None:
    """Behind a proxy that is not named in HUB_PROXIES, everyone has one address."""
    room = Unproved(4)
    callers = enter(room, *"aaaa")
    assert not any(caller.dropped for caller in callers)
    callers += enter(room, *"bc")
    assert left(callers) == "aabc"


def test_one_that_has_yet_to_send_its_request_goes_last() -> None:
    room = Unproved(3)
    silent = [Caller("a", has_spoken=False) for _ in range(3)]
    for each in silent:
        room.enter(each, "a")
    (slow,) = enter(room, "a")
    assert [each.dropped for each in silent] == [True, False, False], "there was no other"
    enter(room, "a")
    assert slow.dropped
    assert not silent[1].dropped


def test_a_peer_that_has_proved_itself_is_never_dropped() -> None:
    room = Unproved(4)
    twilio, *_ = enter(room, "t")
    room.leave(twilio)
    room.leave(twilio)
    enter(room, *"abcdefgh" * 4)
    assert not twilio.dropped


def test_a_newcomer_is_left_in_peace_for_a_moment_unless_the_room_is_twice_full() -> None:
    now = 0.0
    room = Unproved(4, grace_seconds=1.0, clock=lambda: now)
    first = enter(room, *"aaaaa")
    assert not room.dropped
    now = 0.5
    second = enter(room, *"aaa")
    assert (room.dropped, len(room)) == (0, 8)
    enter(room, "b")
    assert first[0].dropped
    assert (room.dropped, len(room)) == (1, 8)
    now = 1.0
    enter(room, "c")
    assert [caller.dropped for caller in first] == [True, True, False, False, False], "one place for each that comes"
    assert not any(caller.dropped for caller in second)


@given(st.lists(st.sampled_from("abcde"), max_size=200), st.integers(2, 9))
def test_the_newest_is_always_let_in_and_the_room_never_overflows(addresses: list[str], most: int) -> None:
    room = Unproved(most)
    callers: list[Caller] = []
    for address in addresses:
        callers += enter(room, address)
        assert not callers[-1].dropped
        assert len(room) == sum(not caller.dropped for caller in callers) <= most


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2::7", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("", ""),
        ("/run/hub.sock", "/run/hub.sock"),
    ],
)
def test_a_network_of_ipv6_counts_as_one_address(address: str, counted: str) -> None:
    assert counted_as(address) == counted
