"""The hub's own certificate, for a hub that serves https and wss without a proxy in front of it.

Knows certificate files and what can be wrong with them. Does not know the server.
"""

import asyncio
import logging
import ssl
from pathlib import Path

from hub.errors import ConfigError

log = logging.getLogger(__name__)

LOOK_SECONDS = 60.0
"""How often the files are checked for a change: after a renewal the old certificate is valid for weeks, so a minute is soon enough."""


class Certificate:
    """A certificate and its key, as the SSL context that a server listens with."""

    def __init__(self, chain: str, key: str) -> None:
        """`chain` and `key` are PEM files; `key` is empty if the first file holds both. Raises: ConfigError."""
        self._chain = chain
        self._key = key
        self._seen = _changed_at(chain, key)
        self.context = _context(chain, key)

    async def renew(self, look_seconds: float = LOOK_SECONDS) -> None:
        """Load the files again whenever they change, until cancelled. New connections get the new certificate.

        Files that cannot be used are logged and change nothing.
        """
        while True:
            await asyncio.sleep(look_seconds)
            seen = _changed_at(self._chain, self._key)
            if seen == self._seen:
                continue
            self._seen = seen
            try:
                _context(self._chain, self._key)  # in a new context first: a failed load would leave a half-changed pair in the one in use
                self.context.load_cert_chain(self._chain, self._key or None, _no_password)
            except (ConfigError, OSError) as error:
                log.error("the renewed certificate is not used: %s", error)
            else:
                log.info("the certificate was renewed")


def _context(chain: str, key: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(["http/1.1"])
    held = _read("HUB_TLS_CERT", chain)
    if "-----BEGIN CERTIFICATE-----" not in held:
        swapped = ": it holds a private key; HUB_TLS_KEY is for that one" if "PRIVATE KEY-----" in held else ""
        raise ConfigError("HUB_TLS_CERT", f"{chain} holds no certificate in PEM form{swapped}")
    if key:
        held = _read("HUB_TLS_KEY", key)
    if "PRIVATE KEY-----" not in held:
        if not key:
            raise ConfigError("HUB_TLS_KEY", f"is not set, and {chain} holds only the certificate: name the file with its private key")
        raise ConfigError("HUB_TLS_KEY", f"{key} holds no private key in PEM form")
    try:
        context.load_cert_chain(chain, key or None, _no_password)
    except _PasswordWanted as error:
        plain = f"openssl pkey -in {key or chain} -out plain.pem"
        raise ConfigError(
            "HUB_TLS_KEY", f"{key or chain} is locked with a password, which the hub cannot ask for: `{plain}` unlocks it"
        ) from error
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise ConfigError("HUB_TLS_KEY", f"{key or chain} is the key of another certificate than the first one in {chain}") from error
        raise ConfigError("HUB_TLS_CERT", f"{chain} and its key cannot be used: {error.reason or error}") from error
    return context


class _PasswordWanted(Exception):
    """The key is encrypted. Without this, OpenSSL would ask for the password on the terminal."""


def _no_password() -> str:
    raise _PasswordWanted


def _read(name: str, path: str) -> str:
    try:
        return Path(path).read_text(errors="replace")
    except OSError as error:
        raise ConfigError(name, f"{path} cannot be read: {error.strerror or error}") from error


def _changed_at(chain: str, key: str) -> tuple[float, ...]:
    """Return when each file was last changed; a file that does not exist is left out."""
    return tuple(Path(path).stat().st_mtime for path in (chain, key) if path and Path(path).exists())
