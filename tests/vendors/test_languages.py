"""Languages as people write them, and what the providers that cannot take one say."""

import logging
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.ops.counters import ProviderCounters
from hub.transcribers.session import SessionContext
from hub.vendors.assemblyai.descriptor import ASSEMBLYAI
from hub.vendors.assemblyai.settings import AssemblyAISettings
from hub.vendors.deepgram.descriptor import DEEPGRAM
from hub.vendors.deepgram.settings import DeepgramSettings
from hub.vendors.languages import bare, strange, tags
from hub.vendors.moonshine.descriptor import MOONSHINE
from hub.vendors.speech_provider import CallOptions, NoSettings, TranscriberFactory


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("en", ("en",)),
        ("en_US", ("en-US",)),
        ("EN-us", ("en-US",)),
        ("pt-br", ("pt-BR",)),
        ("zh_hant_tw", ("zh-Hant-TW",)),
        ("es-419", ("es-419",)),
        ("en_US.UTF-8", ("en-US",)),
        ("nb-NO", ("no-NO",)),
        ("cmn-Hans-CN", ("zh-Hans-CN",)),
        ("en, de;fr|it es", ("en", "de", "fr", "it", "es")),
        ('["en", "de"]', ("en", "de")),
        ("en en EN", ("en",)),
        ("MULTI", ("multi",)),
        ("", ()),
        (None, ()),
    ],
)
def test_each_spelling_is_a_tag(written: str | None, expected: tuple[str, ...]) -> None:
    assert (tags(written), strange(written)) == (expected, ())


def test_what_cannot_be_a_tag_is_left_out_and_named() -> None:
    assert (tags("English, de, x"), strange("English, de, x")) == (("de",), ("English", "x"))


def test_a_bare_code_stands_for_all_its_regions() -> None:
    assert bare(("en-US", "en-GB", "zh-Hant-TW", "multi")) == ("en", "zh", "multi")


@given(st.text())
def test_any_text_is_tags_and_what_is_none(written: str) -> None:
    for tag in tags(written):
        assert tags(tag) == (tag,)
    assert tags(" ".join(strange(written))) == ()


CONTEXT = SessionContext(time.monotonic, ProviderCounters())


@pytest.mark.parametrize(
    ("factory", "language", "warning"),
    [
        (DEEPGRAM.start(DeepgramSettings(), CONTEXT), "klingon", "Deepgram is not asked for 'klingon'"),
        (DEEPGRAM.start(DeepgramSettings(), CONTEXT), "en_US", ""),
        (ASSEMBLYAI.start(AssemblyAISettings(), CONTEXT), "xx", "AssemblyAI is not asked for 'xx'"),
        (ASSEMBLYAI.start(AssemblyAISettings(), CONTEXT), "en_US", ""),
        (MOONSHINE.start(NoSettings(), CONTEXT), "de-DE", "knows English only, and a call asks for the language 'de-DE'"),
        (MOONSHINE.start(NoSettings(), CONTEXT), "EN_us", ""),
        (MOONSHINE.start(NoSettings(), CONTEXT), "de, en-GB", ""),
    ],
)
async def test_a_language_that_a_provider_does_not_take_is_warned_of(
    factory: TranscriberFactory, language: str, warning: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    factory.open(CallOptions(language))
    assert warning in caplog.text if warning else not caplog.text
