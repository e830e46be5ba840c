"""Calls by the phone numbers that they are from or to. Knows records. Does not know who looks for them."""

from hub.topics.record import Record


class ByPhoneNumber:
    """An index of calls. A call is found under each number that it ever had until it is removed."""

    def __init__(self) -> None:
        self._records: dict[str, dict[str, Record]] = {}
        """By number, and by callSid."""

    def put(self, record: Record) -> None:
        """Have a call found by the numbers that it has by now. Nothing happens to a call that is there already."""
        for number in filter(None, record.numbers):
            record.indexed.add(number)
            self._records.setdefault(number, {})[record.call_sid] = record

    def remove(self, record: Record) -> None:
        """Have a call found no more."""
        for number in record.indexed:
            if (calls := self._records.get(number)) is not None:
                calls.pop(record.call_sid, None)
                if not calls:
                    del self._records[number]

    def find(self, number: str) -> list[Record]:
        """Return the calls from or to a number, oldest first."""
        found = self._records.get(number, {})
        return sorted((record for record in found.values() if number in record.numbers), key=lambda record: record.number)
