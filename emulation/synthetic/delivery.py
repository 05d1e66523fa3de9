"""Delivery of records as JSON lines with the faults of a real topic: duplicates, later versions, unusable records.

Source: the data contract, section 3, for rejected and repaired records, and for positions.
"""

import heapq
import random
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from itertools import accumulate

from emulation.source.source_records import JsonRecord, Row, column_names, to_json_line
from emulation.synthetic import faults
from pinterest_transforms.entities import Entity

KeyedLine = tuple[int, str]

MAX_DELAY = 2000
"""A second version is delivered at most so many records later."""


@dataclass(frozen=True)
class Delivery:
    """Shares (0..1, at most 1 together) of a topic's rows with a fault; a row has at most one.

    Every row is delivered in a usable form at least once, so no key is lost.

    Attributes:
        duplicates: delivered again later, unchanged: delivery is at least once.
        updates: a later version follows: a pin with another follower count, a geo with another country, an older user.
        repairable: one value is unusable (``lots`` followers, latitude 400, an invalid date, age 0).
        malformed: a line that must be rejected precedes it: truncated, two objects, an array, no usable key, …
        foreign: a record of another kind, with another key, precedes it.
        text_keys: the key is text (``"7166"``) or has a zero fraction (``7166.0``).
        unknown_fields: the record has a field ``board_name``, which is in no schema.
    """

    duplicates: float = 0.03
    updates: float = 0.01
    repairable: float = 0.0
    malformed: float = 0.0
    foreign: float = 0.0
    text_keys: float = 0.0
    unknown_fields: float = 0.0


ONCE = Delivery(duplicates=0, updates=0)
USUAL = Delivery()
DIRTY = Delivery(repairable=0.005, malformed=0.003, foreign=0.002, text_keys=0.01, unknown_fields=0.005)
DELIVERIES = {"once": ONCE, "usual": USUAL, "dirty": DIRTY}


def deliver(
    rows: Iterable[Row], entity: Entity, delivery: Delivery, seed: int, counts: Counter[str]
) -> Iterator[KeyedLine]:
    """Lines of one topic in delivery order, each with the key that decides its partition.

    Args:
        rows: rows of the entity's source table, the key first.
        entity: the kind of record.
        delivery: shares of the faults.
        seed: decides which rows have a fault.
        counts: receives ``rows`` and the number of each fault by the name of its share.
    """
    names, key = column_names(entity), entity.key_fields[0]
    shares = asdict(delivery)
    bounds = list(accumulate(shares.values()))
    generator = random.Random(f"{seed}/{entity.name}")
    foreign = faults.generate_foreign_records(entity, seed) if delivery.foreign else []
    delayed: list[tuple[int, int, int, str]] = []
    number = 0
    for number, row in enumerate(rows, 1):
        record: JsonRecord = dict(zip(names, row, strict=True))
        line, owner = to_json_line(record), int(str(row[0]))
        while delayed and delayed[0][0] <= number:
            yield heapq.heappop(delayed)[2:]
        draw = generator.random()
        if draw >= bounds[-1]:
            yield owner, line
            continue
        fault = next(name for name, bound in zip(shares, bounds, strict=True) if draw < bound)
        count, now, later = counts[fault], line, ""
        counts[fault] += 1
        match fault:
            case "duplicates":
                later = line
            case "updates":
                later = faults.update_record(record, entity, generator)
            case "repairable":
                now = faults.set_unusable_value(record, entity, count)
            case "malformed":
                yield owner, faults.malform_line(record, line, key, count)
            case "foreign":
                yield foreign[count % len(foreign)]
            case "text_keys":
                now = faults.change_key_type(record, key, count)
            case "unknown_fields":
                now = to_json_line({**record, faults.UNKNOWN_FIELD: "Weekend ideas"})
        yield owner, now
        if later:
            heapq.heappush(delayed, (number + 1 + generator.randrange(MAX_DELAY), number, owner, later))
    counts["rows"] += number
    yield from (waiting[2:] for waiting in sorted(delayed))
