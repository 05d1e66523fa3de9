"""The contract's file: up to date, valid by the standard's own schema, and a breaking change is named."""

import copy
import json
import re
from pathlib import Path

import pytest
from jsonschema import Draft201909Validator
from open_data_contract_standard.model import OpenDataContractStandard

from local.contract import contract_file
from local.contract.contract_file import (
    CONTRACT_FILE,
    check_changes,
    find_breaking_changes,
    format_contract,
    read_contract,
    write_contract,
)
from local.contract.data_contract import Fields, build_contract
from pinterest_transforms.errors import SettingsError
from pinterest_transforms.settings import Settings
from pinterest_transforms.tables.definitions import answer_specs, work_specs
from pinterest_transforms.tables.views import VIEWS


def test_the_committed_file_is_up_to_date_and_a_breaking_change_is_named() -> None:
    check_changes(read_contract(), build_contract())
    assert CONTRACT_FILE.read_text(encoding="utf-8") == format_contract(build_contract()), "run make contract"


def test_the_file_is_valid_by_the_standard_s_json_schema_and_its_model() -> None:
    validator = Draft201909Validator(json.loads(OpenDataContractStandard.json_schema()))
    assert [error.message for error in validator.iter_errors(read_contract())] == []
    model = OpenDataContractStandard.from_file(str(CONTRACT_FILE))
    assert (model.kind, model.apiVersion) == ("DataContract", "v3.2.0")
    broken = {**read_contract(), "kind": "Contract"}
    assert len(list(validator.iter_errors(broken))) == 1


def test_every_table_of_both_legs_and_every_answer_is_in_it() -> None:
    model = OpenDataContractStandard.from_file(str(CONTRACT_FILE))
    names = {"batchTable": set(), "streamTable": set()}
    for table in model.schema_ or []:
        for own in table.customProperties or []:
            names[own.property].add(own.value)
    shared = {*VIEWS, *(spec.name for spec in answer_specs())}
    for leg in ("batch", "stream"):
        expected = {re.sub(r"\A12f6caff3559_", "<id>_", spec.name) for spec in work_specs(Settings(leg=leg))}
        assert names[f"{leg}Table"] == expected | shared
    keys = {(table.name, one.name) for table in model.schema_ for one in table.properties if one.primaryKey}
    assert keys == {(name, "ind") for name in ("pins", "geolocations", "users", *VIEWS)}


def _column(contract: Fields, table: str, name: str) -> Fields:
    columns = next(one for one in contract["schema"] if one["name"] == table)["properties"]
    return next(column for column in columns if column["name"] == name)


def _remove(contract: Fields, table: str, name: str) -> None:
    columns = next(one for one in contract["schema"] if one["name"] == table)["properties"]
    columns.remove(_column(contract, table, name))


def _remove_table(contract: Fields, table: str) -> None:
    contract["schema"] = [one for one in contract["schema"] if one["name"] != table]


def _add(contract: Fields, table: str, **column: object) -> None:
    next(one for one in contract["schema"] if one["name"] == table)["properties"].append(column)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (copy.copy, []),
        (lambda c: _remove(c, "users", "age"), ["users.age: removed"]),
        (lambda c: _remove_table(c, "runs"), ["runs: table removed"]),
        (lambda c: _column(c, "users", "age").update(name="years"), ["users.age: removed"]),
        (lambda c: _column(c, "pins", "ind").update(physicalType="INT"), ["pins.ind: type BIGINT -> INT"]),
        (lambda c: _column(c, "pins", "title").update(physicalType="INT"), ["pins.title: type STRING -> INT"]),
        (lambda c: _column(c, "pins", "title").update(required=True), ["pins.title: nullable -> required"]),
        (lambda c: _column(c, "posts", "ind").update(required=False), ["posts.ind: required -> nullable"]),
        (
            lambda c: _column(c, "users", "user_name").update(classification="public"),
            ["users.user_name: class pii -> public"],
        ),
        (lambda c: _column(c, "users", "age").update(physicalType="BIGINT"), []),
        (lambda c: _add(c, "users", name="new", physicalType="INT", description="x", classification="public"), []),
        (lambda c: c["schema"].append({"name": "new", "properties": []}), []),
        (
            lambda c: (_remove(c, "pins", "title"), _column(c, "runs", "read").update(physicalType="INT")),
            ["pins.title: removed", "runs.read: type BIGINT -> INT"],
        ),
    ],
)
def test_a_breaking_change_is_named_with_its_column(change, expected: list[str]) -> None:
    before = build_contract()
    after = copy.deepcopy(before)
    change(after)
    assert list(find_breaking_changes(before, after)) == expected


def test_a_breaking_change_is_written_with_a_new_major_version_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "contract.yaml"
    write_contract(file)
    before = file.read_text(encoding="utf-8")
    changed = build_contract()
    _remove(changed, "users", "age")
    monkeypatch.setattr(contract_file, "build_contract", lambda: changed)
    for version in ("2.0.0", "2.1.0"):
        changed["version"] = version
        with pytest.raises(SettingsError) as error:
            write_contract(file)
        assert str(error.value) == (
            "a breaking change of the contract needs a new major version (CONTRACT_VERSION in data_contract.py), "
            f"got {version}: users.age: removed"
        )
        assert file.read_text(encoding="utf-8") == before
    changed["version"] = "3.0.0"
    write_contract(file)
    assert read_contract(file) == changed
