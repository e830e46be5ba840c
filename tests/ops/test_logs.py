"""Log lines: the call and the stream they name, as text and as JSON, and what they never hold."""

import asyncio
import json
import logging
import sys
import time

import aiohttp
import pytest

from hub.config import Config
from hub.ops import logs
from hub.ops.logs import CallLog, Json, Text
from tests.media import CALL, CONNECTED, STREAM, media, start, stop
from tests.providers.fake_deepgram import FakeDeepgram
from tests.providers.script import Script, said, spoken
from tests.settings import configured
from tests.test_serve import serving


def record(message: str = "ended: %s", *args: object, failed: bool = False, **about: str) -> logging.LogRecord:
    try:
        if failed:
            raise RuntimeError("with key s3cr3t-s3cr3t")
    except RuntimeError:
        error = sys.exc_info()
    made = logging.LogRecord("hub.calls.transcribed", logging.INFO, __file__, 1, message, args or ("completed",), error if failed else None)
    made.__dict__.update(about)
    return made


def test_text_puts_the_call_and_the_stream_in_front() -> None:
    line = Text().format(record(call=CALL, stream=STREAM))
    assert line.endswith(f" INFO hub.calls.transcribed call={CALL} stream={STREAM} ended: completed")
    assert Text().format(record()).endswith(" INFO hub.calls.transcribed ended: completed")


def test_json_has_the_call_and_the_stream_as_fields() -> None:
    made = record(call=CALL, stream=STREAM)
    made.created, made.msecs = time.mktime((2026, 11, 21, 10, 0, 0, 0, 0, 0)) - time.timezone, 7.0
    line = json.loads(Json().format(made))
    assert line.pop("at").endswith(":00.007Z")
    assert line == {"level": "info", "logger": "hub.calls.transcribed", "call": CALL, "stream": STREAM, "message": "ended: completed"}
    assert "call" not in json.loads(Json().format(record()))


def test_a_traceback_is_one_field_of_the_same_line() -> None:
    text = Json().format(record(failed=True))
    assert "\n" not in text
    assert "RuntimeError: with key" in json.loads(text)["error"]


FORGED = "done\r\n2026-11-21 10:00:00,000 ERROR hub.app forged\u2028\x85\x0b\x1b]0;title\x07\x9b2J\u202e\x00"
SHOWN = r"done\r\n2026-11-21 10:00:00,000 ERROR hub.app forged\u2028\x85\x0b\x1b]0;title\x07\x9b2J\u202e\x00"


def test_no_text_from_outside_can_forge_a_line_or_act_on_a_terminal() -> None:
    assert Text().format(record("closed: %s", FORGED)).endswith(f" INFO hub.calls.transcribed closed: {SHOWN}")
    text = Json().format(record("closed: %s", FORGED))
    assert text.isprintable()
    assert json.loads(text)["message"] == f"closed: {SHOWN}"
    assert Text().format(record("said %s", "Zoë “你好” C:\\new")).endswith("said Zoë “你好” C:\\new"), "other letters stay as they are"


def test_no_error_can_forge_a_line_below_its_own() -> None:
    try:
        raise RuntimeError(FORGED)
    except RuntimeError:
        made = record("failed", failed=False)
        made.exc_info = sys.exc_info()
    made.args = ()
    first, *traceback = Text().format(made).splitlines()
    assert first.endswith("failed")
    assert traceback[0] == "    Traceback (most recent call last):"
    assert all(line.startswith("    ") and line.isprintable() for line in traceback)
    assert Json().format(made).isprintable()


@pytest.mark.parametrize("kind", [Text, Json])
def test_secrets_are_in_no_line_of_any_logger(kind: type[Text | Json]) -> None:
    formatter = kind(["s3cr3t-s3cr3t", "in"])
    line = formatter.format(record("dialling with %s, in vain", "s3cr3t-s3cr3t", failed=True))
    assert "s3cr3t" not in line
    assert "in vain" in line  # what is too short to be a secret hides no words


@pytest.mark.parametrize(("secret", "hidden"), [("1234567", False), ("12345678", True)])
def test_a_secret_is_hidden_from_eight_characters_on(secret: str, hidden: bool) -> None:
    assert (secret not in Text([secret]).format(record("key %s", secret))) == hidden


def test_a_line_that_names_its_own_call_is_about_that_one() -> None:
    token = logs.call.set("CA-of-the-task")
    try:
        assert "call=CA-of-the-line " in Text().format(record(call="CA-of-the-line"))
        assert "call=CA-of-the-task " in Text().format(record())
    finally:
        logs.call.reset(token)


def test_a_library_that_logs_whole_requests_is_limited_to_warnings() -> None:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        logs.set_up("debug", "text")
        assert logging.getLogger("hub.anything").isEnabledFor(logging.DEBUG)
        for name in logs.TALKATIVE:
            assert not logging.getLogger(name).isEnabledFor(logging.INFO)
            assert logging.getLogger(name).isEnabledFor(logging.WARNING)
    finally:
        logging.captureWarnings(False)
        root.handlers[:], root.level = handlers, level


def test_where_numbers_are_masked_no_line_quotes_what_a_provider_sent() -> None:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        logs.set_up("debug", "text", words=False)
        assert logging.getLogger("hub.anything").isEnabledFor(logging.DEBUG)
        for name in ("hub.vendors.openai.session", "websockets.client"):
            assert not logging.getLogger(name).isEnabledFor(logging.DEBUG)
            assert logging.getLogger(name).isEnabledFor(logging.INFO)
    finally:
        logging.captureWarnings(False)
        root.handlers[:], root.level = handlers, level
        for name in logs.QUOTING:
            logging.getLogger(name).setLevel(logging.NOTSET)


def test_every_secret_of_the_settings_is_known() -> None:
    config = configured(secret="one", deepgram_key="two", assemblyai_key="three", twilio_token="old, new")
    assert {"one", "two", "three", "old", "new"} <= set(config.secrets)
    assert Config().secrets == ()


async def test_a_line_written_in_a_calls_task_names_the_call() -> None:
    made: list[str] = []

    async def run(call_sid: str) -> None:
        logs.call.set(call_sid)
        await asyncio.sleep(0)
        asyncio.get_running_loop().call_soon(lambda: made.append(Text().format(record())))
        await asyncio.sleep(0)

    async with asyncio.TaskGroup() as group:
        group.create_task(run("CA1"))
        group.create_task(run("CA2"))
    assert [line.split("call=")[1][:3] for line in made] == ["CA1", "CA2"]
    assert "call=" not in Text().format(record())


def test_a_call_log_names_its_call_and_keeps_what_the_line_adds(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    CallLog(logging.getLogger("hub.calls.transcribed"), {"call": CALL}).info("joined", extra={"stream": STREAM})
    assert (caplog.records[-1].call, caplog.records[-1].stream) == (CALL, STREAM)  # type: ignore[attr-defined]


async def test_every_json_line_of_a_whole_call_names_the_call_and_holds_nothing_private() -> None:
    """The command itself, on uvloop: lines of a provider's session name their call, too."""
    settings = {"HUB_LOG": "json", "HUB_LOG_LEVEL": "debug", "HUB_DRAIN_SECONDS": "0", "HUB_TRANSCRIBER": "deepgram"}
    audio = spoken(said("canary sings", 0.3), 2.0)
    async with (
        FakeDeepgram(Script(drop_after_bytes=[4000])) as fake,
        serving(**settings, DEEPGRAM_API_KEY="canary-key", DEEPGRAM_URL=fake.url, HUB_SECRET="canary-secret") as (process, port),
        aiohttp.ClientSession() as session,
        session.ws_connect(f"http://127.0.0.1:{port}/twilio") as twilio,
    ):
        await twilio.send_str(CONNECTED)
        await twilio.send_str(start(parameters={"from": "+14155550142", "canary": "canary"}))
        for at in range(0, len(audio) // 8, 20):
            await twilio.send_str(media("inbound", at, audio[at * 8 : at * 8 + 160]))
        await twilio.send_str(stop())
        await twilio.receive()
        assert process.stderr is not None
        lines = []
        while not lines or not lines[-1]["message"].startswith("ended"):
            text = await process.stderr.readline()
            assert b"canary" not in text.lower()
            assert b"4155550142" not in text
            lines.append(json.loads(text))
    ours = {line["message"].split(";")[0]: line for line in lines if line["logger"] != "asyncio"}
    assert (ours["joined with inbound+outbound"]["call"], ours["joined with inbound+outbound"]["stream"]) == (CALL, STREAM)
    assert ours["stopped"]["stream"] == STREAM
    lost = next(line for message, line in ours.items() if message.startswith("Deepgram"))
    assert (lost["logger"], lost["level"], lost["call"]) == ("hub.transcribers.session", "warning", CALL)
    assert lines[-1]["call"] == CALL


def test_a_flood_of_refusals_is_bounded_and_counted_and_nothing_else_is() -> None:
    now = [0.0]
    refusals = logs.Refusals(lambda: now[0])

    def line(name: str, text: str, *values: object, level: int = logging.WARNING) -> logging.LogRecord:
        return logging.LogRecord(name, level, __file__, 1, text, values, None)

    flood = [line("hub.web.proof", "refused %s", number) for number in range(10_000)]
    assert sum(refusals.filter(each) for each in flood) == logs.LINES_AT_ONCE
    assert refusals.filter(line("hub.web.proof", "another kind"))
    assert all(refusals.filter(line("hub.web.proof", "refused %s", 1, level=logging.ERROR)) for _ in range(1000))
    assert all(refusals.filter(line("hub.calls.transcribed", "refused %s", 1)) for _ in range(1000))
    now[0] = 1.0
    later = [line("hub.web.proof", "refused %s", "a %s") for _ in range(100)]
    assert sum(refusals.filter(each) for each in later) == logs.LINES_PER_SECOND
    assert later[0].getMessage() == "refused a %s (and 9900 like it)"
    assert later[1].getMessage() == "refused a %s"
