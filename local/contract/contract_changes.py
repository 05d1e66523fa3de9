"""Breaking changes between two versions of the contract: what a reader of the tables would notice."""

from collections.abc import Iterator, Mapping, Sequence

from local.contract.data_contract import Fields

_WIDER = {("INT", "BIGINT"), ("INT", "DOUBLE")}
"""Types whose every value the other one holds too."""


def breaking_changes(before: Fields, after: Fields) -> list[str]:
    """Each breaking change in one line: the table, the column and the change.

    A column or table that is removed or renamed, a type that is narrowed or another one, a column that becomes
    required or is so no longer, a class that changes. Additions break nothing.
    """
    return list(_table_changes(_by_name(before["schema"]), _by_name(after["schema"])))


def _table_changes(before: Mapping[str, Fields], after: Mapping[str, Fields]) -> Iterator[str]:
    for name, table in before.items():
        if name in after:
            columns = (_by_name(one["properties"]) for one in (table, after[name]))
            yield from (f"{name}.{change}" for change in _column_changes(*columns))
        else:
            yield f"{name}: table removed"


def _column_changes(before: Mapping[str, Fields], after: Mapping[str, Fields]) -> Iterator[str]:
    added = {name: column for name, column in after.items() if name not in before}
    for name, column in before.items():
        if name in after:
            yield from (f"{name}: {change}" for change in _changes(column, after[name]))
            continue
        new_name = next((other for other in added if _is_renamed(before, after, name, other)), "")
        added.pop(new_name, None)
        yield f"{name}: renamed to {new_name}" if new_name else f"{name}: removed"


def _is_renamed(before: Mapping[str, Fields], after: Mapping[str, Fields], name: str, other: str) -> bool:
    """Whether two columns are one: of one type, and with one description or in one place."""
    same_place = list(before).index(name) == list(after).index(other)
    old, new = before[name], after[other]
    return old["physicalType"] == new["physicalType"] and (same_place or old["description"] == new["description"])


def _changes(before: Fields, after: Fields) -> Iterator[str]:
    types = before["physicalType"], after["physicalType"]
    if types[0] != types[1] and types not in _WIDER:
        yield f"type {types[0]} -> {types[1]}"
    required = [bool(column.get("required")) for column in (before, after)]
    if required[0] != required[1]:
        yield "nullable -> required" if required[1] else "required -> nullable"
    if before["classification"] != after["classification"]:
        yield f"class {before['classification']} -> {after['classification']}"


def _by_name(found: object) -> dict[str, Fields]:
    assert isinstance(found, Sequence)  # noqa: S101 - the standard's form
    return {one["name"]: one for one in found}
