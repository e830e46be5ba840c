"""Every exception of the hub, in one tree.

    HubError
    ├── ConfigError      a setting is wrong; the hub does not start
    ├── WireError        the other side broke its protocol; its connection ends
    ├── AccountError     Twilio's REST API refused or did not answer; `retryable` says whether asking again can help
    ├── ProviderError    a transcription provider failed; `retryable` says whether trying again can help
    └── Lagged           a subscriber fell too far behind and must come back with its position

Each carries the `code` that goes on the wire and composes its own English from its fields. Knows no wire and no socket.
"""

from typing import ClassVar


class HubError(Exception):
    """Anything the hub raises on purpose."""

    code: ClassVar[str] = "hub-error"


class ConfigError(HubError):
    """A setting that the hub cannot start with: names the setting, says what is wrong and what would be right."""

    code = "config"

    def __init__(self, setting: str, problem: str) -> None:
        self.setting = setting
        self.problem = problem
        super().__init__(f"{setting} {problem}")


class WireError(HubError):
    """A peer sent what its protocol does not allow. `close_code` is the WebSocket close code that answers it."""

    code = "protocol"

    def __init__(self, peer: str, problem: str, close_code: int = 1008) -> None:
        self.peer = peer
        self.problem = problem
        self.close_code = close_code
        super().__init__(f"{peer} {problem}")


class AccountError(HubError):
    """Twilio's REST API refused or did not answer. `status` is HTTP's, 0 when there was no answer."""

    code = "account"

    def __init__(self, problem: str, *, retryable: bool, status: int = 0) -> None:
        self.problem = problem
        self.retryable = retryable
        self.status = status
        super().__init__(f"Twilio's REST API {problem}")


class ProviderError(HubError):
    """A transcription provider refused, failed or fell silent."""

    code = "provider"

    def __init__(self, provider: str, problem: str, *, retryable: bool) -> None:
        self.provider = provider
        self.problem = problem
        self.retryable = retryable
        super().__init__(f"{provider} {problem}")


class Lagged(HubError):
    """A subscriber was cut off: it had `behind_bytes` waiting, or took nothing for `idle_seconds`."""

    code = "lagged"

    def __init__(self, behind_bytes: int, idle_seconds: float) -> None:
        self.behind_bytes = behind_bytes
        self.idle_seconds = idle_seconds
        super().__init__(f"{behind_bytes} bytes behind, nothing taken for {idle_seconds:.1f} s")
