"""A provider is one folder and one registration: a made-up one, registered here only, does all that the others do."""

from dataclasses import make_dataclass, replace
from typing import Any

import pytest

from hub.check.check import check
from hub.config import settings_of
from hub.errors import ConfigError
from hub.vendors.providers import Providers
from hub.vendors.registered import DEEPGRAM, MOONSHINE, OPENAI, REGISTERED
from tests.bench.load import free_port
from tests.completeness import completeness
from tests.house import real_house
from tests.media import CALL, media, stop
from tests.providers.made_up.descriptor import MADE_UP
from tests.providers.made_up.server import made_up_server
from tests.providers.made_up.settings import MadeUpSettings
from tests.transcribers.runs import until

WITH_IT = Providers(DEEPGRAM, MADE_UP, MOONSHINE, OPENAI)
KEY = "canary-made-up-key"


async def test_the_hub_transcribes_a_call_with_it() -> None:
    async with (
        made_up_server(KEY) as server,
        real_house(providers=WITH_IT, madeup_key=KEY, madeup_url=server.url, madeup_tone="dry") as home,
    ):
        socket = await home.call(parameters={"language": "de", "keyterms": "Acme, Okafor"})
        for at in range(0, 3000, 20):
            await socket.send_str(media("inbound", at, b"\x01" * 160 if at < 2000 else b"\xff" * 160))
        await socket.send_str(stop())
        async with home.session.ws_connect(home.url("/client"), compress=0) as subscriber:
            await subscriber.send_str(CALL)
            events = [message.json() async for message in subscriber][1:]
        metrics = await (await home.session.get(home.url("/metrics"))).text()
    assert events[0]["transcriber"] == {"provider": "madeup", "model": "made-up-2"}
    assert [(event["text"], event["end"]) for event in events if event["type"] == "final"] == [("word 0", 1.0), ("word 1", 2.0)]
    assert (events[-1]["type"], completeness(events[-1])) == ("call-ended", "complete")
    assert server.paths == ["/?tone=dry&language=de&terms=Acme%7COkafor"]
    assert 'hub_provider_sessions_begun_total{provider="madeup"} 1.0' in metrics
    assert KEY not in str(events) + metrics


async def test_a_call_can_ask_for_it_where_another_provider_is_the_first() -> None:
    async with made_up_server(KEY) as server:
        settings = {"madeup_key": KEY, "madeup_url": server.url, "transcriber": "local"}
        async with real_house(providers=WITH_IT, **settings) as home:
            metrics = await (await home.session.get(home.url("/metrics"))).text()
            assert 'hub_provider_sessions_begun_total{provider="madeup"} 0.0' in metrics, "it shows before the first call"
            assert 'provider="deepgram"' not in metrics, "no call can choose it: its key is missing"
            socket = await home.call(parameters={"transcriber": "madeup"})
            await socket.send_str(media("inbound", 0))
            await socket.send_str(stop())
            async with home.session.ws_connect(home.url("/client"), compress=0) as subscriber:
                await subscriber.send_str(CALL)
                started, *_, ended = [message.json() async for message in subscriber][1:]
    assert started["transcriber"]["provider"] == "madeup"
    assert completeness(ended) == "complete", "its last message settles what it had no words for"


@pytest.mark.parametrize(("key", "verdict", "words"), [(KEY, "ok", "Made-Up takes the key"), ("other", "FAIL", "refused the key (401)")])
async def test_check_probes_it(key: str, verdict: str, words: str) -> None:
    lines: list[str] = []
    async with made_up_server(KEY) as server:
        given = {"MADEUP_API_KEY": key, "MADEUP_URL": server.url, "HUB_PORT": str(free_port())}
        code = await check(lambda: WITH_IT.load(given, None), lines.append, WITH_IT)
        await until(lambda: server.open_sessions == 0)
    (line,) = [line for line in lines if "  madeup  " in line]
    assert (line.split()[0], code) == (verdict, int(verdict == "FAIL"))
    assert words in line
    assert key not in str(lines)


def test_its_settings_are_read_and_its_key_makes_it_the_automatic_choice() -> None:
    config = WITH_IT.load({"MADEUP_API_KEY": KEY, "MADEUP_TONE": "dry", "MADEUP_PIECES": "3"}, None)
    assert config.of(MadeUpSettings) == MadeUpSettings(key=KEY, tone="dry", pieces=3)
    assert WITH_IT.resolved(config).transcriber == "madeup"
    assert KEY in config.secrets
    assert KEY not in repr(config)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"HUB_TRANSCRIBER": "madeup"}, "HUB_TRANSCRIBER is madeup, which needs its key in MADEUP_API_KEY"),
        ({"HUB_FALLBACK": "madeup"}, "HUB_FALLBACK is madeup, which needs its key in MADEUP_API_KEY"),
        ({"HUB_TRANSCRIBER": "siri"}, "HUB_TRANSCRIBER must be one of auto, deepgram, madeup, local, not 'siri'"),
        ({"HUB_FALLBACK": "siri"}, "HUB_FALLBACK must be one of deepgram, madeup, local, not 'siri'"),
        ({"HUB_FALLBACK": "auto"}, "HUB_FALLBACK must be one of deepgram, madeup, local, not 'auto'"),
        ({"HUB_FALLBACK": "madeup", "MADEUP_API_KEY": "k"}, "HUB_FALLBACK is madeup, as the first one is: name another, or none"),
        ({"MADEUP_TONE": "rude"}, "MADEUP_TONE must be one of kind, dry, not 'rude'"),
        ({"MADEUP_PIECES": "many"}, "MADEUP_PIECES must be a number, not 'many'"),
        ({"MADEUP_URL": "made-up.example"}, "MADEUP_URL must be a URL like wss://host, not 'made-up.example'"),
    ],
)
def test_its_wrong_settings_are_refused_in_one_sentence(given: dict[str, str], says: str) -> None:
    with pytest.raises(ConfigError) as error:
        WITH_IT.load(given, None)
    assert str(error.value) == says


def test_where_it_is_not_registered_nobody_knows_it() -> None:
    with pytest.raises(ConfigError, match="must be one of auto, deepgram, assemblyai, local, not 'madeup'"):
        REGISTERED.load({"HUB_TRANSCRIBER": "madeup"}, None)
    assert REGISTERED.load({"MADEUP_PIECES": "many"}, None).sections == ()


def test_the_tables_have_its_rows() -> None:
    assert WITH_IT.speech_rows()[3] == (
        "| `madeup` | `MADEUP_API_KEY` | none that anybody speaks | no | no | no | one session per track "
        "| mu-law, as Twilio sends it | does not exist |"
    )
    for row in (
        "| `MADEUP_API_KEY` |  | the made-up key |",
        "| `MADEUP_TONE` | `kind` | kind or dry: how it writes |",
        "| `MADEUP_PIECES` | `2` | how many words a final has |",
    ):
        assert row in WITH_IT.setting_rows()
    assert any("deepgram, madeup, local" in row for row in WITH_IT.setting_rows() if "`HUB_TRANSCRIBER`" in row)


def twice(**changes: Any) -> Providers:
    return Providers(MADE_UP, replace(MADE_UP, **changes), OPENAI)


def test_two_providers_cannot_have_one_name() -> None:
    with pytest.raises(ValueError, match="are called madeup"):
        twice()
    assert list(twice(name="other").speech) == ["madeup", "other"], "two names may share their settings"


def test_two_settings_cannot_have_one_name() -> None:
    (key, *_) = settings_of(MadeUpSettings)
    other = make_dataclass("OtherSettings", [("key", str, key)], frozen=True)
    with pytest.raises(ValueError, match="are called MADEUP_API_KEY"):
        twice(name="other", settings=other)


def test_a_hub_needs_a_provider_of_each_kind() -> None:
    for lacking in ((MADE_UP,), (OPENAI,)):
        with pytest.raises(ValueError, match="at least one speech provider and one voice model"):
            Providers(*lacking)
