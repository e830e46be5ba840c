"""Which provider transcribes a call: the one that its parameters ask for, else that of the settings, and what stands in for either."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from hub.audio.timeline import Block
from hub.errors import ConfigError
from hub.ops.counters import Counters
from hub.transcribers.fallback import Refusing
from hub.transcribers.session import SessionContext
from hub.transcribers.transcriber import Lost, Switched, Transcriber
from hub.twilio.media import MediaFormat, StartBody
from hub.vendors.deepgram.descriptor import DEEPGRAM
from hub.vendors.openai.descriptor import OPENAI
from hub.vendors.providers import Providers
from hub.vendors.speech_provider import CallOptions, NoSettings, SpeechProvider
from hub.vendors.transcribers import Transcribers
from tests.media import CALL, STREAM
from tests.scripted import ScriptedTranscriber
from tests.settings import configured
from tests.transcribers.runs import running


class ScriptedFactory:
    """Opens scripted transcribers, and remembers what happened to it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.options: list[CallOptions] = []
        self.checks = 0
        self.closed = False
        self.wrong = ""
        """What is wrong with its settings."""

    def check(self) -> None:
        self.checks += 1
        if self.wrong:
            raise ConfigError("ONE_OPTIONS", self.wrong)

    def open(self, options: CallOptions) -> Transcriber:
        if self.wrong:
            raise ConfigError("ONE_OPTIONS", self.wrong)
        self.options.append(options)
        transcriber = ScriptedTranscriber()
        transcriber.provider = self.name
        return transcriber

    def close(self) -> None:
        self.closed = True


class Three:
    """Three scripted providers, `one` the first of them; and Deepgram, whose key is missing."""

    def __init__(self) -> None:
        self.factories = {name: ScriptedFactory(name) for name in ("one", "two", "three")}
        self.started: list[str] = []
        self.contexts: dict[str, SessionContext] = {}
        self.counters = Counters()
        self.providers = Providers(*(self._provider(name) for name in self.factories), DEEPGRAM, OPENAI)

    def _provider(self, name: str) -> SpeechProvider[Any]:
        def start(_: NoSettings, context: SessionContext) -> ScriptedFactory:
            self.started.append(name)
            self.contexts[name] = context
            return self.factories[name]

        return replace(DEEPGRAM, name=name, settings=NoSettings, start=start)

    def transcribers(self, **settings: str) -> Transcribers:
        return Transcribers(configured(self.providers, **settings), self.counters, self.providers)


def started(parameters: Mapping[str, object]) -> StartBody:
    return StartBody(STREAM, CALL, ["inbound"], MediaFormat("audio/x-mulaw", 8000, 1), custom_parameters=dict(parameters))


async def test_without_a_wish_the_settings_decide() -> None:
    three = Three()
    assert three.transcribers().open(started({})).provider == "one"
    assert three.transcribers(transcriber="two").open(started({"language": ""})).provider == "two"
    assert three.factories["two"].options == [CallOptions(None, ())]


async def test_a_call_chooses_provider_language_and_keyterms() -> None:
    three = Three()
    wishes = {"transcriber": " two ", "language": " de ", "keyterms": "Acme, Dr. Okafor,, "}
    assert three.transcribers().open(started(wishes)).provider == "two"
    assert three.factories["two"].options == [CallOptions("de", ("Acme", "Dr. Okafor"))]


async def test_only_the_providers_that_the_settings_name_are_checked_and_the_others_loaded_when_asked_for() -> None:
    three = Three()
    transcribers = three.transcribers(fallback="two")
    assert three.started == ["one", "two"]
    transcribers.open(started({"transcriber": "three"}))
    transcribers.open(started({"transcriber": "three"}))
    assert three.started == ["one", "two", "three"]
    assert [factory.checks for factory in three.factories.values()] == [1, 1, 0]
    transcribers.close()
    assert all(factory.closed for factory in three.factories.values())


async def test_a_provider_that_cannot_work_here_stops_the_start_only_if_the_settings_name_it() -> None:
    three = Three()
    three.factories["three"].wrong = "cannot set model"
    three.transcribers()
    for settings in ({"transcriber": "three"}, {"fallback": "three"}):
        with pytest.raises(ConfigError, match="ONE_OPTIONS cannot set model"):
            three.transcribers(**settings)


@pytest.mark.parametrize(
    ("asked", "shown", "says"),
    [
        ("siri", "siri", "is no transcriber of this hub"),
        ("s" * 500, "s" * 20, "is no transcriber of this hub"),
        ("auto", "auto", "is no transcriber of this hub"),
        ("deepgram", "deepgram", "is not set up on this hub: DEEPGRAM_API_KEY is missing"),
        ("three", "three", "is not set up on this hub: ONE_OPTIONS cannot set model"),
    ],
)
async def test_a_wish_that_cannot_be_met_is_reported_and_the_hubs_own_choice_takes_over(asked: str, shown: str, says: str) -> None:
    three = Three()
    three.factories["three"].wrong = "cannot set model"
    transcriber = three.transcribers(fallback="two").open(started({"transcriber": asked, "language": "de"}))
    transcriber.push(Block(0.0, b"\x01" * 800, b"\x01" * 800))
    transcriber.finish()
    async with running(transcriber) as (reports, _):
        pass
    assert reports == [Lost(shown, says, 0), Switched("one", says, 0)]
    assert three.factories["one"].options == [CallOptions("de", ())]


class Refused(ScriptedFactory):
    """Opens transcribers that give up."""

    def open(self, options: CallOptions) -> Transcriber:
        self.options.append(options)
        return Refusing(self.name, "refused the key")


@pytest.mark.parametrize(("asked", "taken_over_by"), [("", "two"), ("three", "two"), ("two", None)])
async def test_the_fallback_takes_over_unless_it_is_the_one_that_gave_up(asked: str, taken_over_by: str | None) -> None:
    three = Three()
    for name in ("one", "two", "three"):
        if name != taken_over_by:
            three.factories[name] = Refused(name)
    transcriber = three.transcribers(fallback="two").open(started({"transcriber": asked} if asked else {}))
    transcriber.finish()
    async with running(transcriber) as (reports, _):
        pass
    assert [report.provider for report in reports if isinstance(report, Switched)] == ([taken_over_by] if taken_over_by else [])


async def test_metrics_know_each_provider_that_a_call_can_choose() -> None:
    three = Three()
    three.transcribers()
    assert list(three.counters.providers) == ["one", "two", "three"]
    assert three.contexts["one"].counters is three.counters.providers["one"]
