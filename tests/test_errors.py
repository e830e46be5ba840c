"""Errors: each has a code for programs, and writes its own sentence."""

import pytest

from hub.errors import AccountError, ConfigError, HubError, Lagged, ProviderError, TokenError, WireError


@pytest.mark.parametrize(
    ("error", "code", "sentence"),
    [
        (ConfigError("HUB_PORT", "must be a number"), "config", "HUB_PORT must be a number"),
        (WireError("Twilio", "sent a second start"), "protocol", "Twilio sent a second start"),
        (TokenError("the token has expired"), "token", "the token has expired"),
        (AccountError("says 500", retryable=True, status=500), "account", "Twilio's REST API says 500"),
        (ProviderError("Deepgram", "refused the key", retryable=False), "provider", "Deepgram refused the key"),
        (Lagged(300_000, 9.04), "lagged", "300000 bytes behind, nothing taken for 9.0 s"),
    ],
)
def test_an_error_has_a_code_and_writes_its_own_sentence(error: HubError, code: str, sentence: str) -> None:
    assert (error.code, str(error)) == (code, sentence)


def test_a_broken_protocol_is_answered_with_1008_unless_another_close_code_fits_better() -> None:
    assert WireError("subscriber", "sent nonsense").close_code == 1008
    assert WireError("Twilio", "sent nonsense", 1007).close_code == 1007
