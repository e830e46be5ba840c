"""Tokens: minted by the command, verified by the hub."""

import asyncio
import sys
import time

import jwt
import pytest

from hub.__main__ import main
from hub.errors import TokenError
from hub.tokens import Grant, mint, verify
from tests.media import CALL
from tests.test_serve import environment
from tests.web.watchers import SECRET


def test_a_minted_token_allows_what_it_names_and_malformed_entries_are_refused() -> None:
    grant = verify(SECRET, mint(SECRET, [CALL, CALL, "+14155550100"], 60, now=time.time()))
    assert grant.calls == frozenset({CALL, "+14155550100"})
    assert grant.allows("CA9", None, "+14155550100")
    assert not grant.allows("CA9", "+1415555010", None)
    assert not Grant(frozenset({""})).allows("CA9", None, "")
    for wish in (
        [],
        [""],
        ["+1 415"],
        ["4155550100"],
        ["+12345"],
        ["anonymous "],
        ["sip:anonymous@anonymous.invalid"],
        ["CA 1"],
        ["*", "CA/1"],
    ):
        with pytest.raises(TokenError):
            mint(SECRET, wish, 60)
    for seconds in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(TokenError, match="must be valid for"):
            mint(SECRET, ["*"], seconds)


def test_a_number_is_one_entry_however_it_is_written() -> None:
    written = ["+1 (415) 555-0100", "14155550100", "sip:+14155550100@pbx.example.com", "+14155550100"]
    assert verify(SECRET, mint(SECRET, written, 60)).calls == {"+14155550100"}


def test_a_token_can_name_a_sip_user_and_a_client() -> None:
    grant = verify(SECRET, mint(SECRET, ["sips:ada@PBX.example.com:5061;transport=tls", "client:bob"], 60))
    assert grant.calls == {"sip:ada@pbx.example.com", "client:bob"}
    assert grant.allows("CA9", "sip:ada@pbx.example.com", None)
    assert not grant.allows("CA9", "sip:ADA@pbx.example.com", "client:ada")


def test_a_token_from_elsewhere_may_write_its_numbers_as_it_likes() -> None:
    claims = {"calls": ["+1 415 555 0100", CALL], "exp": time.time() + 60}
    grant = verify(SECRET, jwt.encode(claims, SECRET, algorithm="HS256"))
    assert grant.allows("CA9", "+14155550100")
    assert grant.allows_number("+14155550100")
    assert grant.allows(CALL)
    assert not grant.allows("CA9", "+14155550101")


async def test_the_command_mints_a_token() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "hub", "token", CALL, "+14155550100", "--hours", "2", stdout=-1, stderr=-1, env=environment(HUB_SECRET=SECRET)
    )
    out, err = await process.communicate()
    assert (process.returncode, err) == (0, b"")
    grant = verify(SECRET, out.decode().strip())
    assert grant.calls == frozenset({CALL, "+14155550100"})
    assert grant.expires_at is not None
    assert 7190 < grant.expires_at - time.time() <= 7200


@pytest.mark.parametrize(
    ("arguments", "secret", "says"),
    [
        (["*"], "", "HUB_SECRET is not set"),
        (["two words"], SECRET, "'two words' is not a callSid"),
        (["*", "--hours", "0"], SECRET, "--hours must be more than 0"),
        (["*", "--hours", "1e400"], SECRET, "less than a hundred years"),
    ],
)
def test_a_token_that_makes_no_sense_is_one_sentence(
    arguments: list[str], secret: str, says: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HUB_SECRET", secret)
    assert main(["token", *arguments]) == 2
    out, err = capsys.readouterr()
    assert (out, len(err.splitlines())) == ("", 1)
    assert says in err
