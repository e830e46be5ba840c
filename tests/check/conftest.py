"""What the tests of `check` share."""

from pathlib import Path

import pytest

from tests.check.setups import Setup


@pytest.fixture
def setup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Setup:
    made = Setup(tmp_path)
    made.believe()
    monkeypatch.setenv("SSL_CERT_FILE", str(made.believed))
    return made
