"""The tables' columns are those of the contract."""

import pytest

from pinterest_transforms.entities import ENTITIES, Entity
from pinterest_transforms.schemas import (
    CONTRACT,
    KINESIS_POSITION_WIDTH,
    LANDING_POSITION_WIDTH,
    QUARANTINE,
    RANGE_TYPE,
    RUNS,
    SOURCE_TYPE,
    clean_schema,
)


@pytest.mark.parametrize("entity", ENTITIES, ids=lambda entity: entity.name)
def test_a_clean_table_is_the_contract_and_its_source(entity: Entity) -> None:
    schema = clean_schema(entity)
    assert schema.fields[:-1] == CONTRACT[entity.name].fields
    assert schema.names[0] == "ind"
    assert (schema.names[-1], schema.fields[-1].dataType) == ("_source", SOURCE_TYPE)


def test_every_column_can_be_null_and_has_a_comment() -> None:
    schemas = [QUARANTINE, RUNS, *(clean_schema(entity) for entity in ENTITIES)]
    columns = [column for schema in schemas for column in schema]
    assert [column.name for column in columns if not column.nullable or not column.metadata.get("comment")] == []


def test_positions_have_the_contracts_widths() -> None:
    assert (LANDING_POSITION_WIDTH, KINESIS_POSITION_WIDTH) == (20, 130)


def test_the_tables_of_quality_have_the_contracts_columns() -> None:
    assert [(column.name, column.dataType.simpleString()) for column in QUARANTINE] == [
        ("topic", "string"),
        ("kind", "string"),
        ("reasons", "array<string>"),
        ("columns", "array<string>"),
        ("raw", "string"),
        ("raw_bytes", "binary"),
        ("_source", SOURCE_TYPE.simpleString()),
        ("seen_at", "timestamp"),
    ]
    assert [(column.name, column.dataType.simpleString()) for column in RUNS] == [
        ("run_id", "string"),
        ("query_id", "string"),
        ("batch_id", "bigint"),
        ("topic", "string"),
        ("started", "timestamp"),
        ("seconds", "double"),
        ("read", "bigint"),
        ("merged", "bigint"),
        ("already_there", "bigint"),
        ("rejected", "bigint"),
        ("repaired", "bigint"),
        ("unknown_fields", "map<string,bigint>"),
        ("library_version", "string"),
        ("sources", f"array<{RANGE_TYPE.simpleString()}>"),
        ("undone_at", "timestamp"),
    ]
    assert SOURCE_TYPE.simpleString() == "struct<shard:string,position:string,arrived:timestamp,file:string>"
