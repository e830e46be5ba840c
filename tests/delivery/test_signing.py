"""Signatures are those of Standard Webhooks, as its own library judges."""

import base64
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from hub.delivery import signing
from tests.docs.pages import blocks


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


@pytest.mark.skipif(shutil.which("openssl") is None, reason="there is no openssl")
@pytest.mark.parametrize(("received", "verdict"), [(b'{"type":"final"}\n', "genuine"), (b'{"type":"final"}', "forged")])
def test_the_page_verifies_a_message_in_a_shell(tmp_path: Path, received: bytes, verdict: str) -> None:
    new, old = signing.new_secret(), signing.new_secret()
    told = signing.headers([signing.key_of(new), signing.key_of(old)], "msg_1", time.time(), b'{"type":"final"}\n')
    (tmp_path / "body.json").write_bytes(received)
    given = {"id": told[signing.ID], "timestamp": told[signing.TIMESTAMP], "signature": told[signing.SIGNATURE], "secret": old}
    (block,) = [each for each in blocks(page="hub/delivery/README.md") if each.reason == "tests/delivery/test_signing.py runs it"]
    script = "".join(f"{name}='{value}'\n" for name, value in given.items()) + block.text
    assert subprocess.run(["sh", "-eu", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True).stdout == f"{verdict}\n"


@pytest.mark.parametrize("length", [24, 25, 26, 64])
def test_a_key_may_be_written_with_or_without_prefix_and_padding(length: int) -> None:
    key = bytes(range(length))
    text = base64.b64encode(key).decode()
    assert {signing.key_of(each) for each in (text, f"whsec_{text}", f" whsec_{text.rstrip('=')} ")} == {key}


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_c2hvcnQ=", "a password with blanks", "whsec_" + "A" * 200, "whsec_ä"])
def test_a_weak_or_broken_secret_is_refused(secret: str) -> None:
    with pytest.raises(ValueError, match="24 to 64 random bytes in base64"):
        signing.key_of(secret)
