"""Records that wait for a request of their kind, so that a later version of a post never overtakes an earlier one."""

from collections import deque
from dataclasses import dataclass, field

from emulation.producer.send_result import Outgoing


@dataclass
class Lane:
    """Records of one kind that wait, and the keys on their way."""

    waiting: deque[Outgoing] = field(default_factory=deque)
    held: dict[int | None, deque[Outgoing]] = field(default_factory=dict)
    unsettled: set[int | None] = field(default_factory=set)
    bytes: int = 0

    def add(self, record: Outgoing) -> None:
        """Takes a record in: behind the earlier one of its post where that is not settled."""
        if record.key in self.unsettled:
            self.held.setdefault(record.key, deque()).append(record)
            return
        self.unsettled.add(record.key)
        self.waiting.append(record)
        self.bytes += len(record.value)

    def settle(self, key: int | None) -> None:
        """Lets the next record of the post follow."""
        self.unsettled.discard(key)
        behind = self.held.get(key)
        if behind:
            following = behind.popleft()
            if not behind:
                del self.held[key]
            self.add(following)

    def take(self, most_records: int, most_bytes: int) -> list[Outgoing]:
        """The next request's records."""
        batch: list[Outgoing] = []
        size = 0
        while self.waiting and len(batch) < most_records:
            size += len(self.waiting[0].value)
            if batch and size > most_bytes:
                break
            batch.append(self.waiting.popleft())
        self.bytes -= sum(len(record.value) for record in batch)
        return batch
