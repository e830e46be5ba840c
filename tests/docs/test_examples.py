"""The examples of the pages that are no commands: programs, settings, JSON, HTML. The JavaScript one is run in tests/dashboard."""

import asyncio
import html
import re
import textwrap
import time
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest
from dotenv import dotenv_values
from standardwebhooks.webhooks import WebhookVerificationError

from hub import tokens
from hub.agents.webhooks import sign
from hub.delivery import signing
from hub.vendors.registered import REGISTERED
from tests.agents.lines import lines
from tests.agents.servers import SECRET as TOOL_SECRET
from tests.agents.servers import Hook, serving
from tests.docs.pages import TOP, Block, blocks, the_block
from tests.house import house
from tests.media import CALL
from tests.providers.openai_script import Call, Model, Reply
from tests.publishing import ScriptedCall

pytestmark = pytest.mark.one_python

SECRET = "a secret of at least thirty-two bytes"

SETTINGS = blocks("env")


async def run_python(block: Block, **names: Any) -> dict[str, Any]:
    """Run an example as the body of a coroutine; return its names."""
    scope = dict(names)
    exec("async def main():\n" + textwrap.indent(block.text, "    ") + "\n    return locals()", scope)
    async with asyncio.timeout(10):
        returned: dict[str, Any] = await scope["main"]()
    return returned


async def test_the_python_examples(capsys: pytest.CaptureFixture[str]) -> None:
    assert len(blocks("python")) == 4
    following, minting = blocks("python", page="hub/web/README.md")
    (proving,) = blocks("python", page="hub/agents/README.md")
    (verifying,) = blocks("python", page="hub/delivery/README.md")
    async with house() as home:
        publisher = ScriptedCall(home.state)
        publisher.final("good morning")
        publisher.end()
        here = following.text.replace("127.0.0.1:5000", f"127.0.0.1:{home.port}").replace("CA…", CALL)
        await run_python(Block(following.page, 0, "python", "", here))
    assert capsys.readouterr().out == "caller good morning\n"

    minted = await run_python(minting, HUB_SECRET=SECRET)
    assert tokens.verify(SECRET, minted["token"]).calls == {"+14155550100"}

    url, signature = sign("https://bookings.example.com/find", b'{"a":1}', SECRET)
    proved = await run_python(proving, secret=SECRET, url=url, body='{"a":1}', signature=signature)
    assert proved["genuine"] is True
    forged = await run_python(proving, secret=SECRET, url=url, body='{"a":2}', signature=signature)
    assert forged["genuine"] is False

    hook = signing.new_secret()
    told = signing.headers([signing.key_of(hook)], "msg_1", time.time(), b'{"type":"final"}')
    verified = await run_python(verifying, secret=hook, body=b'{"type":"final"}', headers=told)
    assert verified["message"] == {"type": "final"}
    with pytest.raises(WebhookVerificationError):
        await run_python(verifying, secret=hook, body=b"{}", headers=told)


SETTINGS_KNOWN = {row.split("`")[1] for row in REGISTERED.setting_rows()[2:]}


@pytest.mark.parametrize("block", SETTINGS, ids=str)
def test_the_settings_in_an_example_are_settings(block: Block, tmp_path: Path) -> None:
    """A wrong value, or a setting that there is not, would stop the hub. Some are compose's own: of `DOMAIN` it makes the address."""
    file = tmp_path / ".env"
    file.write_text(block.text)
    names = set(dotenv_values(file))
    composed = {"HUB_PUBLIC_URL": f"https://{dotenv_values(file)['DOMAIN']}"} if "DOMAIN" in names else {}
    loaded = REGISTERED.load(composed, file)
    of_compose = {"COMPOSE_PROFILES", *re.findall(r"\${([A-Z_]+)", (TOP / "docker-compose.yml").read_text())}
    assert names <= SETTINGS_KNOWN | of_compose
    if not names & {"HUB_PUBLIC_URL", "DOMAIN"}:
        return  # the example is about something else
    assert loaded.public_url == "https://hub.example.com"
    assert loaded.proof == ("signature" if "TWILIO_AUTH_TOKEN" in names else "token")


def test_the_example_file_of_settings_has_settings(tmp_path: Path) -> None:
    """Each line of .env.example is a comment, and a line of settings behind its # is one that the hub takes."""
    known = SETTINGS_KNOWN | {"DOMAIN"}
    offered = re.findall(r"^#([A-Z_]+)=(.*)$", (TOP / ".env.example").read_text(), re.MULTILINE)
    assert len(offered) > 10
    assert {name for name, _ in offered} <= known
    given = {name: value or "a-value-of-at-least-thirty-two-characters" for name, value in offered if name != "DOMAIN"}
    given |= {"TWILIO_ACCOUNT_SID": "AC" + "0" * 32, "TWILIO_API_KEY": "SK" + "0" * 32}
    (tmp_path / ".env").write_text("".join(f'{name}="{value}"\n' for name, value in given.items()))
    assert REGISTERED.load({}, tmp_path / ".env").fallback == "local"


async def test_the_json_on_the_agents_page_is_what_a_webhook_is_told(tmp_path: Path) -> None:
    assert len(blocks("json")) == 1
    shown = msgspec.json.decode(the_block("json", "hub/agents/README.md"))
    hook = Hook()
    use = Call(shown["tool"], msgspec.json.encode(shown["arguments"]).decode())
    async with serving(hook):
        agents = the_block("toml", "hub/agents/README.md").replace("https://bookings.example.com/find", hook.url)
        agents = agents.replace("at least sixteen characters", TOOL_SECRET).replace("hang_up = true", "").replace("transfer = {", "#")
        async with lines(Model(replies=[Reply("One moment.", [use]), Reply("Found it.")]), file=agents, tmp_path=tmp_path) as line:
            async with line.call() as (phone, _):
                await line.listen(phone, hook.came.is_set)
                await phone.hang_up()
            await line.gone()
    (told,) = hook.told
    assert list(told) == list(shown)
    assert told == shown | {"callSid": phone.stream.call_sid, "invocation": told["invocation"]}


async def test_the_embedded_page_is_one_that_the_hub_serves() -> None:
    """tests/dashboard/test_embedded.py opens such an address within another tool's page."""
    linked, _renewed = blocks("html")
    (source,) = re.findall(r'src="([^"]+)"', linked.text)
    parts = urlsplit(html.unescape(source))
    assert set(parse_qs(parts.query)) == {"call", "token"}
    for settings, allowed in (
        ({}, "frame-ancestors 'self'"),
        ({"origins": "https://desk.example.com"}, "frame-ancestors 'self' https://desk.example.com"),
        ({"secret": SECRET}, ""),
        ({"secret": SECRET, "origins": "https://Desk.example.com:443"}, "frame-ancestors 'self' https://desk.example.com"),
        ({"secret": SECRET, "origins": "https://desk.example.com,null"}, ""),
    ):
        async with house(**settings) as home, home.session.get(home.url(f"{parts.path}?{parts.query}")) as answer:
            assert answer.status == 200
            policy = answer.headers["Content-Security-Policy"]
            assert policy.endswith(allowed) if allowed else "frame-ancestors" not in policy
            assert "X-Frame-Options" not in answer.headers
