"""Signatures are those of Standard Webhooks, as its own library judges."""

import base64
import time

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from hub.delivery import signing


def test_standard_webhooks_own_library_verifies_a_message() -> None:
    secret = signing.new_secret()
    told = signing.headers([signing.key_of(secret)], "msg_1", time.time(), b'{"type":"final"}')
    assert Webhook(secret).verify(b'{"type":"final"}', told) == {"type": "final"}
    for wrong in (b'{"type":"gap"}', b'{"type":"final"} '):
        with pytest.raises(WebhookVerificationError):
            Webhook(secret).verify(wrong, told)


def test_while_a_secret_is_changed_the_old_and_the_new_one_verify() -> None:
    new, old, other = (signing.new_secret() for _ in range(3))
    told = signing.headers([signing.key_of(new), signing.key_of(old)], "msg_1", time.time(), b"{}")
    assert Webhook(new).verify(b"{}", told) == Webhook(old).verify(b"{}", told) == {}
    with pytest.raises(WebhookVerificationError):
        Webhook(other).verify(b"{}", told)


@pytest.mark.parametrize("length", [24, 25, 26, 64])
def test_a_key_may_be_written_with_or_without_prefix_and_padding(length: int) -> None:
    key = bytes(range(length))
    text = base64.b64encode(key).decode()
    assert {signing.key_of(each) for each in (text, f"whsec_{text}", f" whsec_{text.rstrip('=')} ")} == {key}


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_c2hvcnQ=", "a password with blanks", "whsec_" + "A" * 200, "whsec_ä"])
def test_a_weak_or_broken_secret_is_refused(secret: str) -> None:
    with pytest.raises(ValueError, match="24 to 64 random bytes in base64"):
        signing.key_of(secret)
