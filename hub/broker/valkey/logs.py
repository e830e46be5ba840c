"""Calls' logs on Valkey: a Stream per call, whose ids are the offsets, and a hash with who may write to it.

Knows one call at a time. Does not know rows.
"""

from collections.abc import Sequence
from typing import Any

from hub.broker.bodies import Events, call_topic, packed
from hub.broker.broker import Accepted, Append, Appended, Fenced, HoldTimes, Logged, Misplaced
from hub.broker.valkey.failures import is_foreign
from hub.broker.valkey.server import BrokerServer, Call
from hub.broker.valkey.signing import Signature

KEPT, MISPLACED = 0, 1
"""What the script answers first. Anything else: fenced."""

CHUNK = 1000
"""So many events the script reads at once. A larger answer would keep the server from others for too long."""


class StreamLogs:
    """The logs of all calls."""

    def __init__(self, server: BrokerServer, signature: Signature, times: HoldTimes) -> None:
        self._server = server
        self._signature = signature
        self._times = times
        self.writer = ""
        """Id of this node. Empty before it has beaten or claimed a call."""

    async def append(self, appends: Sequence[Append]) -> list[Appended]:
        """See Broker.append."""
        if not appends:
            return []
        script = self._server.scripts.append
        calls = [self._call(each) for each in appends]
        answers = await self._server.run(script, calls)
        foreign = [index for index, answer in enumerate(answers) if is_foreign(answer)]
        if foreign:
            await self._clear([appends[index].call_sid for index in foreign])
            again = await self._server.run(script, [calls[index] for index in foreign])
            for index, answer in zip(foreign, again, strict=True):
                answers[index] = answer
        return [_appended(answer) for answer in answers]

    async def read(self, call_sid: str, after: int) -> Logged | None:
        """See Broker.log."""
        whole = part = await self._part(call_sid, after)
        while whole is not None and part is not None and len(part.payloads) == CHUNK:
            part = await self._part(call_sid, whole.first + len(whole.payloads) - 1)
            if part is None or part.epoch != whole.epoch:
                return await self.read(call_sid, after)  # the log was replaced meanwhile
            if part.first == whole.first + len(whole.payloads):
                whole.payloads.extend(part.payloads)
        return whole

    async def fence(self, call_sid: str, generation: int, owner: str) -> int:
        """Refuse all other writers of a call from here on. Returns 0, or the generation that the log has if that is newer."""
        keys = self._server.keys.call(call_sid)
        arguments = (generation, owner, _milliseconds(self._times.live_seconds))
        (answer,) = await self._server.run(self._server.scripts.fence, [(keys, arguments)])
        if is_foreign(answer):
            await self._clear([call_sid])
            (answer,) = await self._server.run(self._server.scripts.fence, [(keys, arguments)])
        return int(answer)

    async def forget(self, call_sid: str, generation: int) -> None:
        """Forget a call's log, and refuse appends to it."""
        await self._server.run(
            self._server.scripts.forget, [(self._server.keys.call(call_sid), (generation, _milliseconds(self._times.keep_seconds)))]
        )

    async def _clear(self, call_sids: Sequence[str]) -> None:
        """Remove what others wrote in the place of calls' logs. The owners send them again."""
        for _ in call_sids:
            self._server.refuse("a call's log")
        await self._server.run(self._server.scripts.clear, [(self._server.keys.call(each), ()) for each in call_sids])

    def _call(self, append: Append) -> Call:
        call_sid, epoch, sign = append.call_sid, append.epoch, self._signature.sign
        topic, message, place = call_topic(call_sid), b"", f"log {call_sid} {epoch} "
        if append.payloads:
            message = sign(topic, packed(Events(append.generation, append.first, append.payloads)))
        return self._server.keys.call(call_sid), (
            append.generation,
            self.writer,
            epoch,
            append.first,
            append.oldest,
            _milliseconds(self._times.keep_seconds if append.ended else self._times.live_seconds),
            self._server.keys.channel(topic),
            message,
            b"" if append.note is None else sign(f"note {call_sid} {epoch}", append.note),
            *(sign(f"{place}{offset}", payload) for offset, payload in enumerate(append.payloads, append.first)),
        )

    async def _part(self, call_sid: str, after: int) -> Logged | None:
        """Return at most CHUNK events behind an offset, up to the first one that does not belong there."""
        keys = self._server.keys.call(call_sid)
        (answer,) = await self._server.run(self._server.scripts.read, [(keys, (after + 1,))], writes=False)
        if is_foreign(answer):
            await self._clear([call_sid])
            return None
        generation, epoch, note, entries = int(answer[0]), answer[1].decode(errors="replace"), answer[2], answer[3]
        if not epoch:
            return None
        first = after + 1
        payloads: list[bytes] = []
        for entry_id, fields in entries:
            offset = int(entry_id[2:]) if entry_id.startswith(b"0-") else 0
            payload = self._signature.proved(f"log {call_sid} {epoch} {offset}", fields[1])
            if payload is None or (payloads and offset != first + len(payloads)):
                self._server.refuse("an event in a call's log")
                break
            first = first if payloads else offset
            payloads.append(payload)
        return Logged(epoch, generation, first, payloads, self._note(call_sid, epoch, note))

    def _note(self, call_sid: str, epoch: str, signed: bytes) -> bytes:
        if not signed:
            return b""
        note = self._signature.proved(f"note {call_sid} {epoch}", signed)
        if note is None:
            self._server.refuse("a call's note")
        return note or b""


def _appended(answer: Any) -> Appended:
    kind, number, listeners = answer
    if kind == KEPT:
        return Accepted(number, listeners)
    return Misplaced(number) if kind == MISPLACED else Fenced(number)


def _milliseconds(seconds: float) -> int:
    return max(1, round(seconds * 1000))
