"""What can happen to a record on its way: later versions, unusable values, broken lines, strangers.

Source: the data contract, section 3: what is rejected, what is repaired.
"""

import random
from collections.abc import Callable

from emulation.source.source_records import Record, column_names, json_line
from emulation.synthetic.countries import COUNTRIES
from pinterest_transforms.entities import GEO, PIN, USER, Entity

UNKNOWN_FIELD = "board_name"
# Whose records stray into whose topic: pins in the user topic are what was seen.
STRANGERS = {PIN.name: GEO, GEO.name: USER, USER.name: PIN}

# Values that are no placeholder and cannot be used: the record is kept with null in their place.
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

_OLDEST = 120
_SPARE_AGE = 33


def repaired(record: Record, entity: Entity, number: int) -> str:
    """The record with one unusable value; ``number`` goes round through all of them."""
    name, value = UNUSABLE[entity.name][number % len(UNUSABLE[entity.name])]
    return json_line({**record, name: value})


def keyed_otherwise(record: Record, key: str, number: int) -> str:
    """The record with its key as text, or with a fraction of zero, in turns."""
    value = str(record[key]) if number % 2 == 0 else float(str(record[key]))
    return json_line({**record, key: value})


def changed(record: Record, entity: Entity, chance: random.Random) -> str:
    """A later version of the record, clean and different."""
    if entity is PIN:
        counts = [count for count in (f"{chance.randrange(1, 1000)}k", "1000k") if count != record["follower_count"]]
        return json_line({**record, "follower_count": counts[0]})
    if entity is GEO:
        start = chance.randrange(len(COUNTRIES) - 1)
        names = [name for name in COUNTRIES[start : start + 2] if name != record["country"]]
        return json_line({**record, "country": names[0]})
    age = record["age"]
    return json_line({**record, "age": age + 1 if isinstance(age, int) and age < _OLDEST else _SPARE_AGE})


def broken(record: Record, line: str, key: str, number: int) -> str:
    """One of the ways in which a line is no usable record; ``number`` goes round through all of them."""
    keyless = {name: value for name, value in record.items() if name != key}
    half = line[: len(line) // 2]
    ways: tuple[Callable[[], str], ...] = (
        lambda: half,
        lambda: line + line,
        lambda: f"[{line}]",
        lambda: json_line(keyless),
        lambda: f"{line} retry=1",
        lambda: f'{{"{key}":{record[key]},{line[1:]}',
        lambda: half + "\udce3",  # cut inside a letter: a byte that is not UTF-8, see landing
        lambda: "null",
        lambda: json_line({**record, key: UNUSABLE_KEYS[number // len(ways) % len(UNUSABLE_KEYS)]}),
    )
    return ways[number % len(ways)]()


def strangers(entity: Entity, seed: int) -> list[tuple[int, str]]:
    """Keys and lines of a hundred made-up records of another kind than the entity's."""
    from emulation.synthetic.generator import chunks  # noqa: PLC0415 - needs numpy, which a client machine has not

    other = STRANGERS[entity.name]
    names = column_names(other)
    rows = next(chunks(other, 100, seed))
    return [(int(str(row[0])), json_line(dict(zip(names, row, strict=True)))) for row in rows]
