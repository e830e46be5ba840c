"""Says in words what is wrong with a broker. Knows redis-py's exceptions. No text of it has a password."""

import ssl
from collections.abc import Iterator

from redis.asyncio.sentinel import MasterNotFoundError
from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    BusyLoadingError,
    ClusterDownError,
    InvalidResponse,
    MovedError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisClusterException,
    RedisError,
    ResponseError,
    SlotNotCoveredError,
)
from redis.exceptions import ConnectionError as NoConnection
from redis.exceptions import TimeoutError as NoAnswer

FAILURES = (RedisError, RedisClusterException, OSError, EOFError)
"""What is raised when a broker cannot do what it is asked. asyncio's TimeoutError is an OSError."""

LONGEST_QUOTE = 200
"""So many characters of a server's own words are repeated."""

FOREIGN = ("WRONGTYPE", "equal or smaller than the target", "not an integer", "attempt to", "bad argument")
"""What the servers say where a script finds something in our keys that the hub never writes."""


def problem_of(error: BaseException) -> str:
    """Return what is wrong, as the rest of a sentence that begins with the broker's name."""
    for each in _causes(error):
        if isinstance(each, ssl.SSLCertVerificationError):
            return f"has a certificate that is not trusted: {each.verify_message}"
        if isinstance(each, ssl.SSLError):
            return "does not speak TLS: write valkey:// (or redis://)"
    match error:
        case MasterNotFoundError():
            return "is not known to the Sentinels, or no Sentinel can be reached"
        case AuthenticationError() | AuthorizationError():
            return _unknown_user(str(error))
        case ReadOnlyError():
            return "is a read-only replica: give the address of the master, or of Sentinels"
        case OutOfMemoryError():
            return "is full: its maxmemory is reached"
        case BusyLoadingError():
            return "is still loading its data"
        case ClusterDownError() | SlotNotCoveredError():
            return "is a Cluster of which a part is down"
        case MovedError():
            return "is a node of a Cluster: write valkey+cluster:// (or redis+cluster://)"
        case InvalidResponse():
            return "does not answer as a Valkey or a Redis does"
        case NoAnswer() | TimeoutError():
            return "does not answer"
        case ResponseError() | RedisClusterException():
            return _answered(str(error))
        case _:
            return f"cannot be reached: {_quoted(str(error)) or 'the connection ended'}"


def is_passing(error: BaseException) -> bool:
    """Return whether a broker that is being started or restarted fails like this."""
    if any(isinstance(each, ssl.SSLError) for each in _causes(error)):
        return False
    if isinstance(error, AuthenticationError | AuthorizationError):
        return False
    return isinstance(error, NoConnection | NoAnswer | OSError | EOFError | ClusterDownError | SlotNotCoveredError)


def is_foreign(answer: object) -> bool:
    """Return whether a script failed since a key of ours is not as the hub writes it."""
    return isinstance(answer, ResponseError) and any(text in str(answer) for text in FOREIGN)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _unknown_user(text: str) -> str:
    if "required" in text or "NOAUTH" in text:
        return "wants a password: write valkey://:password@… or valkey://user:password@…"
    if "without any password" in text or "no password is set" in text:
        return "has no password, but the address has one"
    return "refuses the user or the password"


def _answered(text: str) -> str:
    if text.startswith("NOPERM") or "NOPERM" in text or "no permissions" in text or "ACL failure" in text:
        return f"does not allow this user what a hub needs: {_quoted(text)}"
    if "cluster support disabled" in text or "cannot be connected" in text or "Cluster mode is not enabled" in text:
        return "is no Cluster, or no node of it can be reached: for one server, write valkey:// (or redis://)"
    if "READONLY" in text:
        return "is a read-only replica: give the address of the master, or of Sentinels"
    return f"answered: {_quoted(text)}"


def _quoted(text: str) -> str:
    shown = " ".join(text.split())
    return shown if len(shown) <= LONGEST_QUOTE else f"{shown[:LONGEST_QUOTE]}…"
