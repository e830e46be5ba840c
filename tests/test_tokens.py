"""Tokens: minted by the command, verified by the hub."""

import asyncio
import sys
import time
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.__main__ import main
from hub.errors import TokenError
from hub.tokens import EXPOSED, OPEN, RIGHTS, Grant, mint, mint_stream, verify
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


def signed(**claims: object) -> str:
    return jwt.encode({"calls": ["*"], "exp": time.time() + 60, **claims}, SECRET, algorithm="HS256")


def test_a_token_without_rights_may_what_tokens_always_might() -> None:
    grant = verify(SECRET, mint(SECRET, ["*"], 60))
    assert jwt.decode(mint(SECRET, ["*"], 60), SECRET, algorithms=["HS256"]).keys() == {"calls", "exp"}
    assert grant.rights == frozenset()
    assert not any(grant.may(right) for right in RIGHTS)
    assert grant.everything


def test_a_token_has_the_rights_that_it_names_and_no_others() -> None:
    grant = verify(SECRET, mint(SECRET, [CALL], 60, rights=["audio", "archive", "audio"], subject="alice"))
    assert (grant.rights, grant.subject) == ({"archive", "audio"}, "alice")
    assert [right for right in RIGHTS if grant.may(right)] == ["archive", "audio"]
    with pytest.raises(TokenError, match="'admin' is not a right: the rights are archive, audio, erase, audit"):
        mint(SECRET, ["*"], 60, rights=["audio", "admin"])


def test_a_right_of_a_newer_hub_is_ignored() -> None:
    assert verify(SECRET, signed(rights=["teleport", "audit"])).rights == {"audit"}


@pytest.mark.parametrize("rights", ["archive", 1, None, {"archive": True}, [1], [["archive"]], ["audit", None], True])
def test_rights_that_are_no_list_of_names_are_refused(rights: object) -> None:
    with pytest.raises(TokenError, match="rights are not a list of names"):
        verify(SECRET, signed(rights=rights))


@pytest.mark.parametrize("subject", [1, None, ["alice"], {"name": "alice"}, True])
def test_a_sub_that_is_no_text_is_refused(subject: object) -> None:
    with pytest.raises(TokenError, match="sub is not text"):
        verify(SECRET, signed(sub=subject))


def test_two_tokens_without_a_sub_can_be_told_apart() -> None:
    one, other = mint(SECRET, ["*"], 60), mint(SECRET, [CALL], 60)
    assert verify(SECRET, one).subject == verify(SECRET, one).subject != verify(SECRET, other).subject
    assert verify(SECRET, one).subject.startswith("token …")
    assert verify(SECRET, one).subject.removeprefix("token …") not in one


def test_the_subject_of_a_token_from_elsewhere_can_be_stored_and_printed() -> None:
    assert verify(SECRET, signed(sub="a\x00b\ud800\x1b[2J\nc ")).subject == "a?b??[2J?c"
    assert len(verify(SECRET, signed(sub="x" * 100_000)).subject) == 128
    assert verify(SECRET, signed(sub="\n")).subject == "?"
    assert verify(SECRET, signed(sub="  ")).subject.startswith("token …")
    for name in ("a\nb", "x" * 129, "\x00"):
        with pytest.raises(TokenError, match="name of a token's holder"):
            mint(SECRET, ["*"], 60, subject=name)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(), lambda of: st.lists(of) | st.dictionaries(st.text(), of)
)


@given(rights=JSON | st.lists(st.sampled_from(RIGHTS) | st.text()), sub=JSON)
def test_any_claims_are_a_grant_of_known_rights_with_a_name_or_a_token_error(rights: Any, sub: Any) -> None:
    token = signed(rights=rights, sub=sub)
    try:
        grant = verify(SECRET, token)
    except TokenError:
        assert not (isinstance(sub, str) and isinstance(rights, list) and all(isinstance(each, str) for each in rights))
    else:
        assert grant.rights == set(rights) & set(RIGHTS)
        assert grant.subject.isprintable()
        assert 0 < len(grant.subject) <= 128


def test_a_streams_token_has_no_rights() -> None:
    claims = {"aud": "stream", "sub": CALL, "calls": ["*"], "rights": list(RIGHTS), "exp": time.time() + 60}
    for token in (mint_stream(SECRET, CALL, 60), jwt.encode(claims, SECRET, algorithm="HS256")):
        with pytest.raises(TokenError):
            verify(SECRET, token)


def test_on_an_open_hub_everyone_may_everything_but_steer_unless_others_can_reach_it() -> None:
    assert OPEN.rights == set(RIGHTS) - {"steer"}, "whoever steers has a name"
    assert EXPOSED.rights == {"archive", "audio"}
    assert OPEN.subject == EXPOSED.subject == "open hub"


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


def test_the_command_mints_a_token_with_rights_and_a_name(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("HUB_SECRET", SECRET)
    assert main(["token", "--may", "archive, audio,", "--name", "alice", CALL]) == 0
    grant = verify(SECRET, capsys.readouterr().out.strip())
    assert (grant.calls, grant.rights, grant.subject) == ({CALL}, {"archive", "audio"}, "alice")


@pytest.mark.parametrize(
    ("arguments", "secret", "says"),
    [
        (["*"], "", "HUB_SECRET is not set"),
        (["two words"], SECRET, "'two words' is not a callSid"),
        (["*", "--hours", "0"], SECRET, "--hours must be more than 0"),
        (["*", "--hours", "1e400"], SECRET, "less than a hundred years"),
        (["*", "--may", "all"], SECRET, "'all' is not a right: the rights are archive, audio, erase, audit"),
        (["*", "--name", "a\nb"], SECRET, "the name of a token's holder"),
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
