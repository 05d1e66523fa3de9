"""Writes ``docs/contract.odcs.yaml``, and refuses a breaking change without a new major version of the contract."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import yaml

from local.contract.data_contract import Fields, build_contract
from pinterest_transforms.errors import SettingsError

CONTRACT_FILE = Path(__file__).parents[2] / "docs" / "contract.odcs.yaml"
_HEAD = "# Written by `make contract` from src/pinterest_transforms/schemas.py. Do not edit.\n"
_WIDER = {("INT", "BIGINT"), ("INT", "DOUBLE")}
"""Types whose every value the other one holds too."""


def read_contract(file: Path = CONTRACT_FILE) -> Fields:
    """The contract as the file has it."""
    found: Fields = yaml.safe_load(file.read_text(encoding="utf-8"))
    return found


def format_contract(contract: Fields) -> str:
    """The contract as the text of its file."""
    return _HEAD + yaml.safe_dump(contract, sort_keys=False, allow_unicode=True, width=120)


def find_breaking_changes(before: Fields, after: Fields) -> Iterator[str]:
    """Each breaking change in one line: the table, the column and the change.

    A column or table that is removed, a type that is narrowed or another one, a column that becomes required or is so
    no longer, a class that changes. Additions break nothing.
    """
    tables = _by_name(after["schema"])
    for name, table in _by_name(before["schema"]).items():
        if name not in tables:
            yield f"{name}: table removed"
            continue
        columns = _by_name(tables[name]["properties"])
        for column, old in _by_name(table["properties"]).items():
            changes = _changes(old, columns[column]) if column in columns else ["removed"]
            yield from (f"{name}.{column}: {change}" for change in changes)


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
    return {str(one["name"]): one for one in cast(list[Fields], found)}


def check_changes(before: Fields, after: Fields) -> None:
    """Refuses breaking changes, unless the contract's major version is a new one.

    Raises:
        SettingsError: naming each column and its change.
    """
    changes = list(find_breaking_changes(before, after))
    versions = [str(contract["version"]).split(".")[0] for contract in (before, after)]
    if changes and versions[0] == versions[1]:
        raise SettingsError(
            "a breaking change of the contract needs a new major version (CONTRACT_VERSION in data_contract.py), "
            f"got {after['version']}: {'; '.join(changes)}"
        )


def write_contract(file: Path = CONTRACT_FILE) -> None:
    """Writes the contract of the tables as they are defined now.

    Raises:
        SettingsError: a breaking change without a new major version.
    """
    contract = build_contract()
    if file.exists():
        check_changes(read_contract(file), contract)
    file.write_text(format_contract(contract), encoding="utf-8")


if __name__ == "__main__":
    try:
        write_contract()
    except SettingsError as error:
        sys.exit(f"error: {error}")
    print(f"written: {CONTRACT_FILE}")
