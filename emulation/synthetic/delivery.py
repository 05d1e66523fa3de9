"""How records arrive: as JSON lines, some twice, some changed later, some unusable, as a real topic holds them.

Source: the data contract, section 3: what is rejected, what is repaired, and that the latest position wins.
"""

import heapq
import random
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from itertools import accumulate

from emulation.source.source_records import Record, Row, column_names, json_line
from emulation.synthetic import faults as mishaps
from pinterest_transforms.entities import Entity
from pinterest_transforms.errors import SettingsError

Keyed = tuple[int, str]

# A second delivery comes at most so many records later.
LATE = 2000


@dataclass(frozen=True)
class Delivery:
    """Shares of a topic's rows (0..1, together at most 1) to which something happens; to a row at most one thing.

    Every row arrives in a form that can be used at least once: whatever happens, no key is lost.

    Attributes:
        twice: delivered again, a little later, unchanged: delivery is at least once.
        changed: a later version follows: a pin has another follower count, a geo another country, a user grew older.
        repaired: one value is unusable (``lots`` followers, latitude 400, an impossible date, age 0): kept with null.
        broken: a line before the good one that must be rejected: cut off, two objects, an array, no usable key, …
        strangers: a record of another kind before the good one; it has a key of its own.
        text_keys: the key comes as text (``"7166"``) or with a fraction of zero (``7166.0``).
        unknown_fields: the record has a field, ``board_name``, that no schema knows.
    """

    twice: float = 0.03
    changed: float = 0.01
    repaired: float = 0.0
    broken: float = 0.0
    strangers: float = 0.0
    text_keys: float = 0.0
    unknown_fields: float = 0.0

    def __post_init__(self) -> None:
        """Checks every share and their sum."""
        for name, share in self.shares():
            if not 0 <= share <= 1:
                raise SettingsError(f"share {name} must be 0 to 1, got {share}")
        if sum(share for _, share in self.shares()) > 1:
            raise SettingsError(f"shares must be at most 1 together, got {sum(share for _, share in self.shares())}")

    def shares(self) -> list[tuple[str, float]]:
        """Names and values of the shares, in their order."""
        return [(field.name, getattr(self, field.name)) for field in fields(self)]


ONCE = Delivery(twice=0, changed=0)
USUAL = Delivery()
DIRTY = Delivery(repaired=0.005, broken=0.003, strangers=0.002, text_keys=0.01, unknown_fields=0.005)
DELIVERIES = {"once": ONCE, "usual": USUAL, "dirty": DIRTY}


@dataclass(frozen=True)
class _Fates:
    """What a fate makes of a record.

    Attributes:
        entity: the kind of record.
        key: its key field.
        chance: draws what has to be drawn.
        strangers: keys and lines of another kind.
    """

    entity: Entity
    key: str
    chance: random.Random
    strangers: list[tuple[int, str]]

    def happens(self, fate: str, number: int, record: Record, own: Keyed) -> tuple[list[Keyed], str, str]:
        """Lines before the record, the record's line, and a line for later or nothing; ``number`` counts this fate."""
        before: list[Keyed] = []
        now, later = own[1], ""
        match fate:
            case "twice":
                later = now
            case "changed":
                later = mishaps.changed(record, self.entity, self.chance)
            case "repaired":
                now = mishaps.repaired(record, self.entity, number)
            case "broken":
                before = [(own[0], mishaps.broken(record, now, self.key, number))]
            case "strangers":
                before = [self.strangers[number % len(self.strangers)]]
            case "text_keys":
                now = mishaps.keyed_otherwise(record, self.key, number)
            case _:
                now = json_line({**record, mishaps.UNKNOWN_FIELD: "Weekend ideas"})
        return before, now, later


def deliveries(
    rows: Iterable[Row], entity: Entity, delivery: Delivery, seed: int, counts: Counter[str]
) -> Iterator[tuple[int, str]]:
    """The lines of one topic in the order of their delivery, each with the key that decides its partition.

    Args:
        rows: rows of the entity's source table, the key first.
        entity: the kind of record.
        delivery: what happens to which share of them.
        seed: which of them.
        counts: gets ``rows`` and, for every name of a share, how often it happened.
    """
    names, key = column_names(entity), entity.key_fields[0]
    named = list(accumulate(share for _, share in delivery.shares()))
    fates = [name for name, _ in delivery.shares()]
    chance = random.Random(f"{seed}/{entity.name}")
    what = _Fates(entity, key, chance, mishaps.strangers(entity, seed) if delivery.strangers else [])
    late: list[tuple[int, int, int, str]] = []
    number = 0
    for number, row in enumerate(rows, 1):
        record: Record = dict(zip(names, row, strict=True))
        line, owner = json_line(record), int(str(row[0]))
        while late and late[0][0] <= number:
            yield heapq.heappop(late)[2:]
        draw = chance.random()
        if draw >= named[-1]:
            yield owner, line
            continue
        fate = next(name for name, bound in zip(fates, named, strict=True) if draw < bound)
        before, now, later = what.happens(fate, counts[fate], record, (owner, line))
        counts[fate] += 1
        yield from before
        yield owner, now
        if later:
            heapq.heappush(late, (number + 1 + chance.randrange(LATE), number, owner, later))
    counts["rows"] += number
    yield from (waiting[2:] for waiting in sorted(late))
