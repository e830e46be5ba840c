"""The Archive seam: what the hub keeps of its calls for longer than a process lives.

One implementation serves SQLite and PostgreSQL (`hub.archive.sql`). Every method blocks: `hub.archive.threads` calls them in threads of the
archive's own, so that the event loop never waits for a disk. `write` is called by one thread at a time, the others by several.

**A call is one row and one log.** The row has what lists and searches need. The log has the durable events exactly as they were on the
wire. The same call, epoch and offset is stored once, however often it is written. A call that has ended is *sealed* a little later: its
events are packed together, and its words go into the full-text index. A live call is searched in memory.

**The number of a call** is the moment of its start in milliseconds, times 1024, plus a counter. So the order of numbers is the order of
time, also in a file that was restored, and one key serves the list, the search and the next page.

Knows no SQL, no files and no topics.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Protocol, TypeAlias

import msgspec

from hub.archive.undelivered import Undelivered
from hub.archive.unnoted import Unnoted
from hub.errors import HubError

Action: TypeAlias = Literal[
    "list", "search", "watch", "listen", "replay", "export", "play", "pause", "resume",
    "hold", "release", "erase", "expire", "audit", "restore", "steer",
]  # fmt: skip
"""What somebody did with calls; see `Access`."""


class ArchiveError(HubError):
    """The archive cannot be used. `passing`: a later attempt may succeed, since a disk is full or a server is away."""

    code = "archive"

    def __init__(self, problem: str, *, passing: bool = False) -> None:
        self.problem = problem
        self.passing = passing
        super().__init__(f"the archive cannot be used: {problem}")


class ArchiveInUse(ArchiveError):
    """A hub that runs uses the archive."""


class NotStored(ArchiveError):
    """What was written of some calls was not stored. All else in the batch was.

    `unknown`: calls that have no row, since the database is another one than before. Whoever writes sends them again, with their facts and
    with all their events. Calls that were erased are not meant: what is written of them is dropped.

    `fenced`: calls that another node owns by now, and in which generation. Whoever writes has lost them.
    """

    def __init__(self, unknown: Iterable[str] = (), fenced: Mapping[str, int] | None = None) -> None:
        self.unknown = frozenset(unknown)
        self.fenced: Mapping[str, int] = fenced or {}
        told = [f"it does not know {len(self.unknown)} of the calls that go on"] if self.unknown else []
        told += [f"another node owns {len(self.fenced)} of the calls"] if self.fenced else []
        super().__init__(", and ".join(told), passing=True)


class StoredEvent(NamedTuple):
    """A durable event of a log, as it was on the wire."""

    offset: int
    payload: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the row of a call says of it. Moments are Unix seconds."""

    number: int
    """See the module. It never changes."""
    started_at: float
    ended_at: float | None
    """None while the call is live."""
    from_: str | None
    to: str | None
    agent: str | None
    """The voice agent, or the person who answered."""
    queue: str | None = None
    state: str
    """The state of its completeness: `complete`, `incomplete`, `not-transcribed`."""
    summary: bytes
    """The `CallSummary` in JSON, as lists show it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What is new of one call. All of it is stored together, or nothing."""

    call_sid: str
    epoch: str
    events: tuple[StoredEvent, ...] = ()
    """Consecutive offsets."""
    facts: Facts | None = None
    """The row as it is from now on. None where it stays as it is. The first change of a call has it."""
    note: bytes | None = None
    """How far a live call is published, for the process that may have to go on with it. None where it stays as it is."""
    generation: int = 0
    """In a cluster: the generation in which the writing node owns the call; see `hub.broker.broker`. 0 otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredCall:
    """The row of a call."""

    call_sid: str
    epoch: str
    facts: Facts
    held: bool
    """Whether it must not be erased: a legal hold."""
    generation: int = 0
    """In a cluster: how often the call had another owner."""
    owner: str = ""
    """In a cluster: id of the node that owns the call, or owned it last. Empty for a call of a hub without a broker."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredLog:
    """A call with all its durable events, in the order of their offsets. The first has offset `first`."""

    call: StoredCall
    first: int
    payloads: list[bytes]
    note: bytes
    """The newest `Change.note`. Empty where there is none."""

    @property
    def whole(self) -> bool:
        """Whether no event is missing between the first and the last."""
        if not self.payloads:
            return True
        return self.first == 1 and _offset.decode(self.payloads[-1]).offset == len(self.payloads)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tombstone:
    """What is left of a call that was erased."""

    call_sid: str
    at: float
    """When, in Unix seconds."""
    reason: str
    """Such as `erased` or `kept for 30 days`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallFilter:
    """Which calls are asked for. A field that is None, or empty, asks for all."""

    allowed: frozenset[str] | None = None
    """The callSids and numbers that a token names."""
    ended_after: float | None = None
    """Only calls that are live or ended later than this, in Unix seconds: what a token without the right to the archive may see."""
    since: float | None = None
    """Begun at this moment or later, in Unix seconds."""
    until: float | None = None
    """Begun before this moment."""
    number: str | None = None
    """From or to this number."""
    agent: str | None = None
    queue: str | None = None
    state: str | None = None
    live: bool | None = None
    needs_attention: bool = False
    """Only calls that need a person's attention. Those in the archive are over, and need none: comes with `live`."""
    words: tuple[str, ...] = ()
    """Words in the form of `hub.transcript.search`; each must begin a word of the call. A call that is live is not found by words, and one
    that has ended and is not sealed yet is always found: nobody has looked at its words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expiry:
    """Before which moments calls must have ended to be due, in Unix seconds. None: never. Where several name a call, the latest counts."""

    ended_before: float | None = None
    """For calls that neither of the others names."""
    numbers: Mapping[str, float | None] = field(default_factory=dict)
    """For calls from or to these numbers."""
    agents: Mapping[str, float | None] = field(default_factory=dict)
    """For calls of these agents."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRecording:
    """A recording that lies in the store."""

    call_sid: str
    key: str
    """Where in the store."""
    media_type: str
    seconds: float
    size: int
    """In bytes."""
    sha256: str
    stored_at: float
    """Unix seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Who did what with which call, and when: a row of the audit log."""

    at: float
    """Unix seconds."""
    subject: str
    """The subject (`sub`) of the token, or who else it was."""
    action: Action
    call_sid: str = ""
    """Empty where it was not about one call."""
    detail: str = ""
    """More about it, for people. Never words of a call, and never what was searched for: it would outlive the call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessFilter:
    """Which rows of the audit log are asked for. A field that is None asks for all."""

    since: float | None = None
    """Noted at this moment or later, in Unix seconds."""
    until: float | None = None
    """Noted before this moment."""
    subject: str | None = None
    action: Action | None = None
    call_sid: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRow:
    """A row of the audit log as it is stored, with what holds the rows together: see `hub.archive.chain`."""

    id: int
    """1, 2, 3 …"""
    access: Access
    previous: str
    """The digest of the row before; `chain.FIRST` in the first one."""
    digest: str
    """What `chain.digest_of` makes of this row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How large the archive is."""

    calls: int
    events_bytes: int
    file_bytes: int
    """Of all its files, or of the database at the server."""
    oldest: float | None
    """When the oldest call began, in Unix seconds. None where there is none."""


class _Offset(msgspec.Struct):
    offset: int


_offset = msgspec.json.Decoder(_Offset)


class Archive(Protocol):
    """What the hub keeps of its calls. Every method blocks, and raises ArchiveError."""

    @property
    def undelivered(self) -> Undelivered:
        """What programs outside are still to be sent of the calls."""

    @property
    def unnoted(self) -> Unnoted:
        """Which calls are still to get a note."""

    def write(self, changes: Sequence[Change], accesses: Sequence[Access] = ()) -> None:
        """Store all of this in one transaction. What is stored already stays as it is. Raises: NotStored, too.

        What the database refuses for good, because of its values, is logged and dropped with its whole change; all others are stored. A
        call that was erased stays erased: what is written of it is dropped.

        In a cluster, a change of an older generation than the call's row is refused (NotStored). The first events of a newer generation
        make the call the writing node's. They replace what older generations stored at the same offsets and behind them: that node goes on
        with the call without having read it here, and its log is the one that counts.
        """

    def take(self, call_sid: str, generation: int) -> StoredLog | None:
        """Make a call this node's, in a generation, and return it with its events. From then on no older owner can write of it.

        May be repeated. Returns None where there is no such call, or no longer. Raises: NotStored if its generation is newer, or is this
        one and another node's.
        """

    def ownerless(self, living: Collection[str]) -> list[StoredCall]:
        """Return the calls that have not ended and whose owner is none of these nodes, the oldest first."""

    def leads(self, chore: str) -> bool:
        """Return whether this process is the one that does a chore for all nodes that share the archive: the first that asked and lives."""

    def restamp(self, call_sid: str, epoch: str, payloads: Sequence[bytes]) -> None:
        """Put another log in place of a call's, with offsets from 1: after a crash in which events were told that were not stored."""

    def live(self) -> list[StoredLog]:
        """Return the calls that have not ended, the oldest first."""

    def find(self, call_sid: str) -> StoredCall | Tombstone | None:
        """Return a call's row."""

    def log(self, call_sid: str) -> StoredLog | None:
        """Return a call with its events. None where there is none, or no longer."""

    def page(self, wanted: CallFilter, before: int | None, limit: int) -> list[StoredCall]:
        """Return the newest calls that fit, the newest first; with `before`, of those with a lower number."""

    def spoken(self, found: Sequence[StoredCall]) -> list[list[bytes]]:
        """Return of each of these calls, which `page` has found, what `CallSearch.read_spoken` reads, in order.

        Empty for a call that was erased meanwhile.
        """

    def seal(self) -> bool:
        """Pack the events of one call that has ended, and index its words. Return False where there is none to be sealed."""

    def with_number(self, number: str) -> list[StoredCall]:
        """Return all calls from or to a number."""

    def hold(self, call_sid: str, *, held: bool) -> bool:
        """Put a legal hold on a call, or release it. Return whether there is such a call."""

    def erase(self, call_sids: Iterable[str], reason: str, at: float, note: Access | None = None) -> list[str]:
        """Erase calls that have ended and are not held, and leave tombstones. Return those that were erased. `scrub` removes the bytes.

        `note`: the row of the audit log that each of them gets, but for the callSid. It is written in the same transaction, so that nothing
        is erased, whoever is killed when, without a row that says who wanted it.
        The row of a call's recording stays until `forget_recording`, since it says where in the store the sound lies.
        """

    def scrub(self) -> None:
        """Remove every byte of what was erased from the files. It takes as long as the database is large. Not while `erase` runs."""

    def unscrubbed(self) -> bool:
        """Return whether the files may still have bytes of what was erased: no scrub has succeeded since."""

    def due(self, expiry: Expiry, limit: int) -> list[StoredCall]:
        """Return the calls that are due and not held, those that ended first at the beginning."""

    def keep_recording(self, recording: StoredRecording) -> None:
        """Note that a recording lies in the store."""

    def recording(self, call_sid: str) -> StoredRecording | None:
        """Return the recording of a call."""

    def recordings_due(self, expiry: Expiry, limit: int) -> list[StoredRecording]:
        """Return the recordings of calls that are due and not held, and those of calls that are erased, the oldest first."""

    def forget_recording(self, call_sid: str) -> None:
        """Note that a recording lies in the store no longer."""

    def audit(self, after: int, limit: int, wanted: AccessFilter = AccessFilter()) -> list[AuditRow]:
        """Return the rows of the audit log that fit and have a higher id than `after`, in the order of their ids."""

    def sizes(self) -> Sizes:
        """Return how large the archive is."""

    def close(self) -> None:
        """Let go of the database. Nothing is called afterwards."""
