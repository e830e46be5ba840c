"""Has a model write a note of each call that has ended, and publishes it behind the call's end.

A note comes some seconds after `call-ended`, as a recording does that is stored then. Nothing waits for it: not the end of the call, not
the stop of the hub, and not the other calls.

**Once per end.** A call is listed when its end is stored, and taken from the list when its note is. So a hub that is killed in between, or
the node that takes its place, has the note written again. Two may be written that way; whoever owns the call publishes the first.

**A model that fails.** A request that fails is tried again, after a wait that grows. When the model itself fails, one request at a time is
tried now and then until one succeeds, so that a model that comes back after an hour is not met by a thousand calls. After a day, a call
goes without a note.

Knows calls and a model. What is asked, and what of the answer is believed, is in `hub.notes`.
"""

import asyncio
import logging

from hub.archive.archive import ArchiveError
from hub.archive.unnoted import UnnotedCall
from hub.backoff import Backoff, happens
from hub.calls.publisher import Publisher
from hub.calls.recorder import Finder, OwnersPublisher
from hub.calls.unnoted_calls import UnnotedCalls
from hub.errors import HubError
from hub.events import CallEnded, Durable, Note
from hub.notes.chat_model import ChatModel, ModelFailed
from hub.notes.note_writer import written
from hub.notes.settings import NotesSettings
from hub.ops.counters import NoteCounters
from hub.ops.logs import CallLog
from hub.tokens import OPEN
from hub.topics.record import Record
from hub.topics.registry import Registry

log = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
"""How often it is looked for what is due. The end of a call of this node is noticed at once."""

OF_CALL = Backoff(first_seconds=60.0, longest_seconds=3600.0)
"""Between the attempts with one call."""

OF_MODEL = Backoff(first_seconds=5.0, longest_seconds=300.0)
"""Between the attempts at a model that fails: one that comes back is noticed within five minutes."""

AWAY_SECONDS = 3.0
"""How long a note that is written waits if the archive is away, or the node that owns the call. Another one takes its place soon."""

DOUBTED_AFTER = 3
"""So many requests in a row that fail, of whichever calls, are the model's doing: it does not know what it is asked for, for example."""

ATTEMPTS = 5
"""A call with which the model fails so often, while it succeeds with others, gets no note: each attempt is paid for."""

GIVE_UP_SECONDS = 86400.0
"""A call that ended longer ago gets no note any more."""

MADE_SECONDS = 60.0
"""How long a call is left alone whose note was published. Mostly the note is stored, and the call off the list, within milliseconds."""


class NoteTaker:
    """Sees to the notes of all calls."""

    def __init__(self, settings: NotesSettings, registry: Registry, finder: Finder, unnoted: UnnotedCalls, counters: NoteCounters) -> None:
        """To be made before the first call."""
        self._settings = settings
        self._registry = registry
        self._finder = finder
        self._unnoted = unnoted
        self._counters = counters
        self.elsewhere: OwnersPublisher | None = None
        """None on a hub that is its own cluster. It is set before the first call."""
        self._news = asyncio.Event()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        """What is being done about calls now, by callSid."""
        self._waits: dict[str, float] = {}
        """When calls may be tried again, on the registry's clock."""
        self._attempts: dict[str, int] = {}
        """How often the model failed with a call."""
        self._unpublished: dict[str, Note] = {}
        """Notes that are written and could not be published yet."""
        self._failures = 0
        """How often the model failed in a row."""
        self._rests_until = 0.0
        """The model is not asked before this moment, on the registry's clock."""
        registry.watch(self._told, self._erased)

    def _told(self, record: Record, event: Durable, _: bytes) -> None:
        """Take note that a call has ended, perhaps for the second time."""
        if isinstance(event, CallEnded):
            if record.call_sid not in self._tasks:
                self._waits.pop(record.call_sid, None)
            self._news.set()

    def _erased(self, record: Record, _: bytes) -> None:
        """Let go of a call that is erased: the model is not asked about it any longer."""
        self._unpublished.pop(record.call_sid, None)
        if (task := self._tasks.get(record.call_sid)) is not None:
            task.cancel()

    async def run(self) -> None:
        """Have notes written, until cancelled. What is under way then is begun anew by the next process."""
        async with ChatModel(self._settings, self._counters) as model, asyncio.TaskGroup() as group:
            while True:
                self._news.clear()
                for call in await self._due():
                    self._tasks[call.call_sid] = group.create_task(self._serve(model, call))
                await happens(self._news, LOOK_SECONDS)

    async def _due(self) -> list[UnnotedCall]:
        """Return the calls with which to begin now."""
        now = self._registry.clock()
        self._waits = {call_sid: until for call_sid, until in self._waits.items() if until > now}
        room = (1 if self._doubted else self._settings.at_once) - len(self._tasks)
        if now < self._rests_until:
            room = 0
        try:
            due, self._counters.waiting = await self._unnoted.due(max(0, room), {*self._tasks, *self._waits})
        except ArchiveError as error:
            log.debug("the calls without a note cannot be read now: %s", error.problem)
            return []
        return due

    @property
    def _doubted(self) -> bool:
        return self._counters.failing_since is not None

    async def _serve(self, model: ChatModel, call: UnnotedCall) -> None:
        """See to one call. Whatever goes wrong here ends this one call's turn."""
        call_sid = call.call_sid
        try:
            note = self._unpublished.get(call_sid) or await self._written(model, call)
            if note is not None:
                self._unpublished[call_sid] = note
                if await self._publish(note):
                    self._wait(call_sid, MADE_SECONDS)
                self._unpublished.pop(call_sid, None)
        except ModelFailed as error:
            await self._failed(call_sid, error)
        except HubError as error:
            log.info("call=%s its note comes later: %s", call_sid, error)
            self._wait(call_sid, AWAY_SECONDS)
        except Exception:
            log.exception("call=%s there can be no note of it now", call_sid)
            self._wait(call_sid, OF_CALL.wait_seconds(self._attempts.get(call_sid, 0) + 1))
        finally:
            del self._tasks[call_sid]
            self._news.set()

    async def _written(self, model: ChatModel, call: UnnotedCall) -> Note | None:
        """Have the note of a call written. None if it gets none. Raises: ModelFailed, ArchiveError."""
        call_sid = call.call_sid
        if self._registry.wall() - call.ended_at > GIVE_UP_SECONDS:
            await self._give_up(call_sid, "it ended more than a day ago")
            return None
        words = await self._unnoted.words(call_sid)
        if words is None or not words.due:
            await self._drop(call_sid)
            return None
        draft, whole = await written(model, words, self._settings.tokens)
        self._succeeded(call_sid)
        return Note(
            call_sid=call_sid, model=model.name, ended=words.ended, summary=draft.summary, next_steps=draft.next_steps,
            open_questions=draft.open_questions, whole=whole,
        )  # fmt: skip

    async def _publish(self, note: Note) -> bool:
        """Publish a note, unless its call was erased or has gone on. Returns whether it is published.

        Raises: HubError if that cannot be done now.
        """
        record = self._registry.find(note.call_sid) or await self._finder.find(OPEN, note.call_sid)
        if not isinstance(record, Record):
            return False
        if record.owner and self.elsewhere is not None:
            await self.elsewhere.publish(record, note)
        elif not Publisher(record, self._registry).publish_late(note):
            return False
        self._counters.made += 1
        CallLog(log, {"call": note.call_sid}).info("there is a note of it")
        return True

    def _succeeded(self, call_sid: str) -> None:
        self._attempts.pop(call_sid, None)
        if self._doubted:
            log.info("the model writes notes again")
        self._failures, self._rests_until, self._counters.failing_since = 0, 0.0, None

    async def _failed(self, call_sid: str, error: ModelFailed) -> None:
        """Decide when a call is tried again, and when the model is asked again."""
        now, was_doubted = self._registry.clock(), self._doubted
        self._failures += 1
        CallLog(log, {"call": call_sid}).info("there is no note of it yet: %s", error)
        if error.of_request or error.late:
            self._attempts[call_sid] = self._attempts.get(call_sid, 0) + (error.of_request or not was_doubted)
            self._wait(call_sid, OF_CALL.wait_seconds(max(1, self._attempts[call_sid])))
        if not error.of_request or self._failures >= DOUBTED_AFTER:
            if not was_doubted:
                log.warning("%s. It is tried again, and calls that have ended wait for their notes", error)
                self._counters.failing_since = now
            self._rests_until = now + max(error.wait_seconds, OF_MODEL.wait_seconds(self._failures))
        if self._attempts.get(call_sid, 0) >= ATTEMPTS:
            await self._give_up(call_sid, str(error))

    async def _give_up(self, call_sid: str, why: str) -> None:
        CallLog(log, {"call": call_sid}).error("it gets no note: %s", why)
        self._counters.given_up += 1
        await self._drop(call_sid)

    async def _drop(self, call_sid: str) -> None:
        self._attempts.pop(call_sid, None)
        try:
            await self._unnoted.drop(call_sid)
        except ArchiveError as error:
            log.debug("call=%s stays on the list of calls without a note: %s", call_sid, error.problem)
            self._wait(call_sid, AWAY_SECONDS)

    def _wait(self, call_sid: str, seconds: float) -> None:
        self._waits[call_sid] = self._registry.clock() + seconds
