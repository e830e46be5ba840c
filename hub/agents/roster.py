"""The voice agents of a hub: who answers which number, how, and with which tools. Reads the agents file (TOML).

Knows what an agent is to be like, and what is wrong with a file. Does not know what a conversation is, nor any vendor.
"""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any, NoReturn
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

import msgspec

from hub.agents.voice_model import SessionSettings, ToolDeclaration, TurnDetection
from hub.config import Config, check_url
from hub.errors import ConfigError
from hub.text.foreign_text import name
from hub.text.phone_numbers import dialled, identity
from hub.text.text_file import read_text

HANG_UP = "hang_up"
TRANSFER = "transfer"

TOOL_SECONDS = 10.0
"""How long a webhook may take unless its tool says otherwise: longer than that, and a caller thinks the line is dead."""

TOOL_SECONDS_MOST = 60.0
"""A tool that takes longer is not one for a telephone."""

NUMBER_CHARACTERS = 100
"""How much of a caller's number goes into the instructions: over SIP a caller's name can be of any length, with any text in it."""

SECRET_CHARACTERS = 16
"""Least length of a webhook's secret: nothing else distinguishes the hub's requests from anybody's."""


@dataclass(frozen=True, slots=True)
class Tool:
    """Something that an agent can do: a webhook, and which arguments it takes."""

    name: str
    description: str
    parameters: dict[str, Any]
    """JSON schema of the arguments."""
    url: str
    secret: str
    """Signs each request."""
    timeout_seconds: float = TOOL_SECONDS
    """For one use of the tool, with all its tries."""

    def __repr__(self) -> str:
        """Leave the secret out."""
        return f"Tool({self.name!r}, {self.url!r})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """One voice agent."""

    name: str
    numbers: tuple[str, ...] = ()
    """Our numbers: it answers calls to them, and speaks on calls that we make from them."""
    model: str
    voice: str
    instructions: str
    """May contain `{now}`, `{from}` and `{to}`, which are known once there is a call."""
    time_zone: tzinfo = UTC
    """In which `{now}` is given."""
    greeting: str = ""
    """What it says first. Empty: it waits for the caller."""
    language: str = ""
    transcription_model: str
    turn_detection: TurnDetection
    hang_up: bool = False
    """Whether it may end the call."""
    transfer: tuple[tuple[str, str], ...] = ()
    """Places that it may transfer to, and their numbers."""
    tools: tuple[Tool, ...] = ()
    apology: str
    """What the caller hears when the agent cannot go on."""
    dial: str = ""
    """Who the caller is then connected to. Empty: the call ends."""

    def tool(self, name: str) -> Tool | None:
        """Return its tool of this name. None if it has none."""
        return next((tool for tool in self.tools if tool.name == name), None)

    def declared(self) -> list[ToolDeclaration]:
        """Return all its tools, the hub's own included, as the model is told of them."""
        tools = [ToolDeclaration(tool.name, tool.description, tool.parameters) for tool in self.tools]
        if self.hang_up:
            about = "Ends the phone call. Say goodbye first; the call ends once you have been heard."
            tools.append(ToolDeclaration(HANG_UP, about, _object({})))
        if self.transfer:
            about = "Connects the caller to a person. Say that you do so first; the call is passed on once you have been heard."
            place = {"type": "string", "enum": [name for name, _ in self.transfer]}
            tools.append(ToolDeclaration(TRANSFER, about, _object({"to": place})))
        return tools

    def session(self, unix_seconds: float, caller: str, called: str) -> SessionSettings:
        """Return the settings of the session for one call: when it is, from which number, to which number."""
        known = {
            "{now}": f"{datetime.fromtimestamp(unix_seconds, self.time_zone):%A, %d %B %Y, %H:%M}",
            "{from}": name(caller)[:NUMBER_CHARACTERS] or "unknown",
            "{to}": name(called)[:NUMBER_CHARACTERS] or "unknown",
        }
        return SessionSettings(
            instructions=re.sub("|".join(map(re.escape, known)), lambda name: known[name[0]], self.instructions),
            voice=self.voice,
            turn_detection=self.turn_detection,
            transcription_model=self.transcription_model,
            language=self.language,
            tools=tuple(self.declared()),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentDefaults:
    """What an agent is like where the agents file does not say: the settings of the voice model's vendor."""

    model: str
    voice: str
    instructions: str
    greeting: str
    language: str
    transcription_model: str
    turn_detection: TurnDetection
    missing_setting: str = ""
    """The setting without which no agent can answer, if it is not set. Empty: agents can answer."""


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


class _ToolEntry(msgspec.Struct, forbid_unknown_fields=True):
    """A tool as it stands in the file."""

    name: str
    description: str
    parameters: dict[str, Any]
    url: str
    secret: str
    timeout_seconds: float = TOOL_SECONDS


class _AgentEntry(msgspec.Struct, forbid_unknown_fields=True):
    """An agent as it stands in the file. What it leaves out is as the settings say."""

    numbers: list[str] = []
    model: str = ""
    voice: str = ""
    instructions: str = ""
    time_zone: str = "UTC"
    greeting: str | None = None
    language: str | None = None
    transcription_model: str | None = None
    turn_detection: TurnDetection | None = None
    hang_up: bool = False
    transfer: dict[str, str] = {}
    tools: list[_ToolEntry] = []
    apology: str = ""
    dial: str | None = None


class _File(msgspec.Struct, forbid_unknown_fields=True):
    agents: dict[str, _AgentEntry]


class Agents:
    """All agents of this hub, in the order of the file."""

    def __init__(self, agents: list[Agent], missing_setting: str = "") -> None:
        """`missing_setting` is the setting for lack of which there is no agent, if that is why there is none."""
        self.missing_setting = missing_setting
        self._agents = {agent.name: agent for agent in agents}

    def __len__(self) -> int:
        return len(self._agents)

    def __iter__(self) -> Iterator[Agent]:
        return iter(self._agents.values())

    def pick(self, name: str = "", number: str = "") -> Agent | None:
        """Return the agent of this name; without a name the agent of this number, or else the first. None if no agent has this name."""
        if name:
            return self._agents.get(name)
        known = identity(number)
        for agent in self._agents.values():
            if number in agent.numbers or known in agent.numbers:
                return agent
        return next(iter(self._agents.values()), None)


def load(config: Config, defaults: AgentDefaults) -> Agents:
    """Return the agents of the file that HUB_AGENTS names. Without a file: the one agent that the settings describe.

    There is no agent where a setting is missing without which none can answer. Raises: ConfigError, one sentence that names the setting
    and the place in the file.
    """
    if defaults.missing_setting:
        if config.agents:
            raise ConfigError("HUB_AGENTS", f"names agents, which need the key of a voice model in {defaults.missing_setting}")
        return Agents([], defaults.missing_setting)
    if not config.agents:
        return Agents([_agent(config, defaults, "agent", _AgentEntry())])
    try:
        file = msgspec.convert(tomllib.loads(read_text(Path(config.agents))), _File)
    except ConfigError as error:
        _refuse(config, error.problem, error)
    except tomllib.TOMLDecodeError as error:
        _refuse(config, f"is not TOML: {error}", error)
    except msgspec.ValidationError as error:
        _refuse(config, f"is not an agents file: {error}", error)
    if not file.agents:
        _refuse(config, "names no agent")
    agents = [_agent(config, defaults, name, entry) for name, entry in file.agents.items()]
    taken: dict[str, str] = {}
    for agent in agents:
        for number in agent.numbers:
            if number in taken:
                _refuse(config, f"gives {number} to {taken[number]} and to {agent.name}: only one agent can answer a number")
            taken[number] = agent.name
    return Agents(agents)


def _agent(config: Config, defaults: AgentDefaults, name: str, entry: _AgentEntry) -> Agent:
    if (entry.hang_up or entry.transfer) and not config.twilio_account:
        _refuse(config, f"lets {name} hang up or transfer, which needs TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN")
    for callee in (*entry.transfer.values(), entry.dial):
        if callee and not dialled(callee):
            _refuse(config, f"has {callee!r} for {name}, which cannot be called: use a number as +14155550100, sip:… or client:…")
    for number in entry.numbers:
        if not identity(number):
            _refuse(config, f"has a wrong number {number!r} for {name}: write it as Twilio does, +14155550100, or as sip:desk@example.com")
    names = [tool.name for tool in entry.tools]
    for tool_name in names:
        if names.count(tool_name) > 1 or tool_name in {HANG_UP, TRANSFER}:
            _refuse(config, f"has two tools called {tool_name} for {name}: hang_up and transfer are the hub's own")
    return Agent(
        name=name,
        numbers=tuple(identity(number) or "" for number in entry.numbers),
        model=entry.model or defaults.model,
        voice=entry.voice or defaults.voice,
        instructions=entry.instructions.strip() or defaults.instructions,
        time_zone=_time_zone(config, name, entry.time_zone),
        greeting=defaults.greeting if entry.greeting is None else entry.greeting.strip(),
        language=defaults.language if entry.language is None else entry.language,
        transcription_model=defaults.transcription_model if entry.transcription_model is None else entry.transcription_model,
        turn_detection=entry.turn_detection or defaults.turn_detection,
        hang_up=entry.hang_up,
        transfer=tuple((place, dialled(callee) or "") for place, callee in entry.transfer.items()),
        tools=tuple(_tool(config, name, tool) for tool in entry.tools),
        apology=entry.apology.strip() or config.apology,
        dial=config.dial if entry.dial is None else dialled(entry.dial) or "",
    )


def _time_zone(config: Config, agent: str, key: str) -> tzinfo:
    if key == "UTC":
        return UTC  # also where no time zones are installed, as on Windows
    try:
        return ZoneInfo(key)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        if not available_timezones():
            _refuse(config, f"has a time_zone for {agent}, and this machine has no time zones: pip install 'transcript-hub[agents]'", error)
        _refuse(config, f"has a time_zone for {agent} that this machine does not know, {key!r}: use one as Europe/Berlin", error)


def _tool(config: Config, agent: str, entry: _ToolEntry) -> Tool:
    where = f"tool {entry.name!r} of {agent}"
    if not entry.name.isascii() or not entry.name.replace("_", "").replace("-", "").isalnum() or len(entry.name) > 64:
        _refuse(config, f"calls a tool of {agent} {entry.name!r}: use letters, digits, _ and -, 64 at most")
    try:
        check_url("url", entry.url, ("https", "http"))
    except ConfigError as error:
        _refuse(config, f"has a wrong {error} for the {where}", error)
    if len(entry.secret) < SECRET_CHARACTERS:
        _refuse(config, f"has a short secret for the {where}: use {SECRET_CHARACTERS} characters at least, they sign its requests")
    if not 0 < entry.timeout_seconds <= TOOL_SECONDS_MOST:
        _refuse(config, f"has a wrong timeout_seconds for the {where}: use more than 0, {TOOL_SECONDS_MOST:g} at most")
    try:
        # Here, not at the top: a hub without tools runs without the extra.
        import jsonschema
    except ImportError as error:
        _refuse(
            config, f"gives {agent} a tool, whose arguments are checked by the extra `agents`: pip install 'transcript-hub[agents]'", error
        )
    try:
        jsonschema.Draft202012Validator.check_schema(entry.parameters)
    except jsonschema.SchemaError as error:
        _refuse(config, f"has parameters that are not a JSON schema for the {where}: {error.message}", error)
    if entry.parameters.get("type") != "object":
        _refuse(config, f'has parameters of another type than "object" for the {where}')
    return Tool(entry.name, entry.description, entry.parameters, entry.url, entry.secret, entry.timeout_seconds)


def _refuse(config: Config, problem: str, cause: Exception | None = None) -> NoReturn:
    raise ConfigError("HUB_AGENTS", f"{config.agents} {problem}" if config.agents else problem) from cause
