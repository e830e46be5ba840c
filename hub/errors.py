"""Every exception of the hub, in one tree.

    HubError
    ├── ConfigError    a setting is wrong; the hub does not start
    ├── WireError      a peer broke its protocol; its connection ends
    ├── TokenError     a token is missing, wrong or expired; nothing is shown or accepted
    ├── AccountError   Twilio's REST API refused or did not answer; `retryable` says whether asking again can help
    ├── ProviderError  a provider failed; `retryable` says whether trying again can help
    └── Lagged         a subscriber fell too far behind; it must reconnect with its position

Each class carries the `code` that goes on the wire, and writes its own sentence from its fields. Knows no wire and no socket.
"""

from typing import ClassVar


class HubError(Exception):
    """Any error that the hub raises on purpose."""

    code: ClassVar[str] = "hub-error"


class ConfigError(HubError):
    """The hub cannot start with a setting: names the setting, says what is wrong and what would be right."""

    code = "config"

    def __init__(self, setting: str, problem: str) -> None:
        self.setting = setting
        self.problem = problem
        super().__init__(f"{setting} {problem}")


class WireError(HubError):
    """A peer sent a message that its protocol does not allow. `close_code`: the WebSocket close code that answers it."""

    code = "protocol"

    def __init__(self, peer: str, problem: str, close_code: int = 1008) -> None:
        self.peer = peer
        self.problem = problem
        self.close_code = close_code
        super().__init__(f"{peer} {problem}")


class TokenError(HubError):
    """A token is missing, wrong or expired. The text says what is wrong and never repeats the token."""

    code = "token"


class AccountError(HubError):
    """Twilio's REST API refused or did not answer. `status`: the HTTP status, 0 if there was no answer."""

    code = "account"

    def __init__(self, problem: str, *, retryable: bool, status: int = 0) -> None:
        self.problem = problem
        self.retryable = retryable
        self.status = status
        super().__init__(f"Twilio's REST API {problem}")


class ProviderError(HubError):
    """A provider refused, failed or fell silent."""

    code = "provider"

    def __init__(self, provider: str, problem: str, *, retryable: bool) -> None:
        self.provider = provider
        self.problem = problem
        self.retryable = retryable
        super().__init__(f"{provider} {problem}")


class Lagged(HubError):
    """A subscriber was disconnected: `behind_bytes` were waiting for it, or it took nothing for `idle_seconds`."""

    code = "lagged"

    def __init__(self, behind_bytes: int, idle_seconds: float) -> None:
        self.behind_bytes = behind_bytes
        self.idle_seconds = idle_seconds
        super().__init__(f"{behind_bytes} bytes behind, nothing taken for {idle_seconds:.1f} s")


class Moved(HubError):
    """A call's log is another node's by now: whoever followed it here has to come back with a position."""

    code = "moved"

    def __init__(self, call_sid: str) -> None:
        super().__init__(f"the call {call_sid} is on another node by now")
