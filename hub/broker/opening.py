"""Picks the broker that an address names. What it is made of is imported only here: a hub without one needs no redis-py."""

from hub.broker.broker import Broker, HoldTimes
from hub.errors import ConfigError


def open_broker(address: str, secret: str, keep_seconds: float) -> Broker:
    """Return the broker of HUB_BROKER. It is connected by `Broker.open`. Raises: ConfigError for an address that names none, without its
    passwords; `hub.broker.valkey.address` says how addresses are written.

    `secret`: HUB_SECRET, by which nodes prove to each other what they say; empty for an open hub. `keep_seconds`: how long calls are kept
    after their end.
    """
    try:
        from hub.broker.valkey.address import parse_address
        from hub.broker.valkey.broker import ValkeyBroker
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("hiredis", "redis"):
            raise
        raise ConfigError("HUB_BROKER", "needs the extra `valkey`: pip install 'transcript-hub[valkey]'") from error
    return ValkeyBroker(parse_address(address), secret, HoldTimes(keep_seconds=keep_seconds))
