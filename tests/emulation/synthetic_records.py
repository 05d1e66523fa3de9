"""Synthetic rows and records that tests of deliveries and landing files share."""

import json
import re

from emulation.source.source_records import column_names
from emulation.synthetic.delivery import Delivery
from emulation.synthetic.generator import generate_rows
from pinterest_transforms.entities import ENTITIES, Entity

POSTS = 3000


HARSH = Delivery(0.05, 0.05, 0.05, 0.05, 0.05, 0.05, 0.05)


by_name = {"argvalues": ENTITIES, "ids": lambda entity: entity.name}


def rows_of(entity: Entity, posts: int = POSTS) -> list[tuple]:
    return [row for rows in generate_rows(entity, posts, 1) for row in rows]


def record_of(entity: Entity, row: tuple) -> dict:
    return dict(zip(column_names(entity), row, strict=True))


def usable(line: str, entity: Entity) -> dict | None:
    """The record, if the contract takes it: one object, no key twice, a key, a field of its own kind."""
    pairs: list[list] = []
    try:
        record = json.loads(line, object_pairs_hook=lambda found: pairs.append(found) or dict(found))
    except ValueError:
        return None
    if not isinstance(record, dict) or len(dict(pairs[-1])) < len(pairs[-1]) or "\udce3" in line:
        return None
    key = str(next((record[name] for name in entity.key_fields if name in record), None))
    if not re.fullmatch(r"\d+(\.0)?", key) or float(key) >= 2**63:
        return None
    return record if set(record) & set(entity.fields) else None
