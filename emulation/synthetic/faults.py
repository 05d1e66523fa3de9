"""Faults of records in delivery: later versions, unusable values, malformed lines, records of another kind.

Source: the data contract, section 3, for rejected and repaired records.
"""

import random
from collections.abc import Callable

from emulation.source.source_records import JsonRecord, column_names, to_json_line
from emulation.synthetic.countries import COUNTRIES
from pinterest_transforms.entities import GEO, PIN, USER, Entity

UNKNOWN_FIELD = "board_name"
# The kind of foreign records in each topic; pins were seen in a user topic.
FOREIGN = {PIN.name: GEO, GEO.name: USER, USER.name: PIN}

# Values that are neither usable nor placeholders: the pipeline keeps the record with null in their place.
UNUSABLE: dict[str, tuple[tuple[str, object], ...]] = {
    PIN.name: (("follower_count", "lots"), ("title", {"text": "Nested"}), ("follower_count", "12x")),
    GEO.name: (
        ("latitude", 400.0),
        ("timestamp", "2020-13-45T25:61:61"),
        ("longitude", "west"),
        ("timestamp", "03:52:47"),
    ),
    USER.name: (("age", 0), ("date_joined", "2017-02-30T10:00:00"), ("age", "old"), ("age", 121)),
}
UNUSABLE_KEYS: tuple[object, ...] = (None, -1, 7.5, "seven", 2**63, "")

_MAX_AGE = 120
_OTHER_AGE = 33


def set_unusable_value(record: JsonRecord, entity: Entity, number: int) -> str:
    """The record with one unusable value; ``number`` selects it, round robin."""
    name, value = UNUSABLE[entity.name][number % len(UNUSABLE[entity.name])]
    return to_json_line({**record, name: value})


def change_key_type(record: JsonRecord, key: str, number: int) -> str:
    """The record with its key as text for even numbers, else as a number with a zero fraction."""
    value = str(record[key]) if number % 2 == 0 else float(str(record[key]))
    return to_json_line({**record, key: value})


def update_record(record: JsonRecord, entity: Entity, generator: random.Random) -> str:
    """A later version of the record with another valid value."""
    if entity is PIN:
        counts = [n for n in (f"{generator.randrange(1, 1000)}k", "1000k") if n != record["follower_count"]]
        return to_json_line({**record, "follower_count": counts[0]})
    if entity is GEO:
        start = generator.randrange(len(COUNTRIES) - 1)
        names = [name for name in COUNTRIES[start : start + 2] if name != record["country"]]
        return to_json_line({**record, "country": names[0]})
    age = record["age"]
    return to_json_line({**record, "age": age + 1 if isinstance(age, int) and age < _MAX_AGE else _OTHER_AGE})


def malform_line(record: JsonRecord, line: str, key: str, number: int) -> str:
    """A line that is no usable record; ``number`` selects the fault, round robin."""
    keyless = {name: value for name, value in record.items() if name != key}
    half = line[: len(line) // 2]
    faults: tuple[Callable[[], str], ...] = (
        lambda: half,
        lambda: line + line,
        lambda: f"[{line}]",
        lambda: to_json_line(keyless),
        lambda: f"{line} retry=1",
        lambda: f'{{"{key}":{record[key]},{line[1:]}',
        lambda: half + "\udce3",  # truncated inside a character: a byte that is not UTF-8, see landing_writer
        lambda: "null",
        lambda: to_json_line({**record, key: UNUSABLE_KEYS[number // len(faults) % len(UNUSABLE_KEYS)]}),
    )
    return faults[number % len(faults)]()


def generate_foreign_records(entity: Entity, seed: int) -> list[tuple[int, str]]:
    """Keys and lines of a hundred synthetic records of another kind than the entity's."""
    from emulation.synthetic.generator import generate_rows  # noqa: PLC0415 - numpy is not on a client machine

    other = FOREIGN[entity.name]
    names = column_names(other)
    rows = next(generate_rows(other, 100, seed))
    return [(int(str(row[0])), to_json_line(dict(zip(names, row, strict=True)))) for row in rows]
