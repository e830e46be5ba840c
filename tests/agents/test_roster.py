"""The agents file: who answers what, and one sentence for what is wrong with it."""

from pathlib import Path

import pytest

from hub.agents import Agents, Tool, load
from hub.agents.webhooks import read_arguments
from hub.config import Config
from hub.errors import ConfigError
from hub.vendors.registered import REGISTERED
from tests.docs.pages import the_block
from tests.settings import configured

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "clients" / "sample" / "scheduling-agent.toml"

TOOL = """
[[agents.a.tools]]
name = "{name}"
description = "d"
url = "{url}"
secret = "{secret}"
timeout_seconds = {seconds}
parameters = {parameters}
"""


def tool(
    name: str = "t",
    url: str = "https://e.com/t",
    secret: str = "0123456789abcdef",
    seconds: str = "5.0",
    parameters: str = '{type="object"}',
) -> str:
    return "[agents.a]\n" + TOOL.format(name=name, url=url, secret=secret, seconds=seconds, parameters=parameters)


def config(tmp_path: Path, text: str, **settings: str) -> Config:
    (tmp_path / "agents.toml").write_text(text)
    return configured(openai_key="k", agents=str(tmp_path / "agents.toml"), **settings)  # type: ignore[arg-type]


def loaded(config: Config) -> Agents:
    return load(config, REGISTERED.agent_defaults(config))


def test_without_a_file_the_settings_describe_the_agent() -> None:
    (agent,) = loaded(configured(openai_key="k", openai_voice="cedar", dial="+14155550199"))
    assert (agent.name, agent.voice, agent.model, agent.dial) == ("agent", "cedar", "gpt-realtime-2.1", "+14155550199")
    assert agent.declared() == []


def test_without_a_key_there_is_no_agent() -> None:
    assert len(loaded(configured())) == 0
    with pytest.raises(ConfigError, match="OPENAI_API_KEY"):
        loaded(configured(agents="agents.toml"))


def test_the_name_decides_then_the_number_then_the_order(tmp_path: Path) -> None:
    agents = loaded(
        config(tmp_path, '[agents.a]\nnumbers=["+1 415 555 0101"]\n[agents.b]\nnumbers=["+14155550102"]\nvoice="ash"\ngreeting=""\n')
    )
    picked = [agents.pick("", "1-415-555-0102"), agents.pick("a", "+14155550102"), agents.pick("", "+14155550103"), agents.pick()]
    assert [agent and agent.name for agent in picked] == ["b", "a", "a", "a"]
    assert agents.pick("c", "+14155550101") is None
    (_, b) = agents
    assert (b.voice, b.greeting) == ("ash", "")


def test_the_scheduling_example_is_ready(tmp_path: Path) -> None:
    (agent,) = loaded(configured(openai_key="k", agents=str(EXAMPLE)))
    (declared,) = agent.declared()
    good = '{"name":"Ann Lee","email":"ann@example.com","starts_at":"2026-12-01T15:30","description":"A check-up."}'
    assert read_arguments(declared.parameters, good)[1] == ""
    assert read_arguments(None, f'"{"x" * 65_536}"') == (f'"{"x" * 16_383}', "the arguments are longer than 65536 characters")
    assert "email" in read_arguments(declared.parameters, good.replace("@", " at "))[1]
    assert "description" in read_arguments(declared.parameters, '{"name":"Ann"}')[1] or read_arguments(declared.parameters, "{}")[1]


def test_secrets_are_in_no_repr(tmp_path: Path) -> None:
    agents = loaded(config(tmp_path, tool(secret="very secret thing")))
    assert "very secret thing" not in repr(list(agents))
    assert "very secret" not in repr(Tool("n", "d", {}, "https://e.com", "very secret thing"))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[agents", "is not TOML"),
        ("", "is not an agents file"),
        ("[agents]", "names no agent"),
        ("[agents.a]\ncolour = 1", "unknown field `colour`"),
        ('[agents.a]\nturn_detection = "off"', "Invalid enum value 'off'"),
        ('[agents.a]\nnumbers=["(415) 555-0100"]', r"wrong number '\(415\) 555-0100' for a"),
        ('[agents.a]\ntime_zone="Mars/Olympus"', "time_zone for a that this machine does not know, 'Mars/Olympus'"),
        ('[agents.a]\ntime_zone="../../etc/passwd"', "time_zone for a"),
        ('[agents.a]\nnumbers=["+14155550101"]\n[agents.b]\nnumbers=["tel:+1-415-555-0101"]', r"gives \+14155550101 to a and to b"),
        ("[agents.a]\nhang_up = true", "needs TWILIO_ACCOUNT_SID"),
        (tool(name="hang_up"), "two tools called hang_up"),
        (tool(name="say hello"), "letters, digits"),
        (tool(url="ftp://e.com"), "wrong url must be a URL"),
        (tool(secret="short"), "16 characters at least"),
        (tool(seconds="600.0"), "60 at most"),
        (tool(parameters='{type="objekt"}'), "not a JSON schema"),
        (tool(parameters='{type="string"}'), 'another type than "object"'),
    ],
)
def test_a_wrong_file_is_one_sentence_that_names_the_place(text: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=says) as error:
        loaded(config(tmp_path, text))
    assert str(error.value).startswith("HUB_AGENTS ")
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_file_may_be_written_by_any_editor(encoding: str, tmp_path: Path) -> None:
    settings = config(tmp_path, "")
    Path(settings.agents).write_bytes("[agents.a]\r\ngreeting = 'Grüße'\r\n".encode(encoding))
    (agent,) = loaded(settings)
    assert agent.greeting == "Grüße"


def test_a_file_in_another_encoding_is_one_sentence_with_the_line(tmp_path: Path) -> None:
    settings = config(tmp_path, "")
    Path(settings.agents).write_bytes("[agents.a]\ngreeting = 'Grüße'\n".encode("latin-1"))
    with pytest.raises(ConfigError, match=r"^HUB_AGENTS .*agents\.toml cannot be read: line 2 is not text in UTF-8; save the file"):
        loaded(settings)


def test_a_file_that_is_not_there_is_one_sentence() -> None:
    with pytest.raises(ConfigError, match="HUB_AGENTS /nowhere cannot be read: No such file"):
        loaded(configured(openai_key="k", agents="/nowhere"))


def test_the_instructions_get_the_moment_and_the_numbers_of_the_call(tmp_path: Path) -> None:
    text = "[agents.a]\ninstructions='It is {now}. {from} calls {to}. Say {hello}.'\ntime_zone='Europe/Berlin'\n"
    (agent,) = loaded(config(tmp_path, text))
    moment = 1795275000.0  # 2026-11-21 15:30 UTC
    told = [agent.session(moment, *numbers).instructions for numbers in (("+1415{to}", "+1416"), ("a\nb", ""))]
    assert told == [
        "It is Saturday, 21 November 2026, 16:30. +1415{to} calls +1416. Say {hello}.",
        "It is Saturday, 21 November 2026, 16:30. a b calls unknown. Say {hello}.",
    ]


def test_the_file_on_the_agents_page_is_one_that_works(tmp_path: Path) -> None:
    text = the_block("toml", "hub/agents/README.md")
    account = {"twilio_account": "AC" + "0" * 32, "twilio_token": "t", "public_url": "https://hub.example.com"}
    (agent,) = loaded(config(tmp_path, text, **account))
    assert (agent.name, agent.numbers, agent.transfer) == ("front-desk", ("+14155550100",), (("bookings", "+14155550177"),))
    assert [tool.name for tool in agent.declared()] == ["find_booking", "hang_up", "transfer"]
    assert "Europe/Berlin" in str(agent.time_zone)
