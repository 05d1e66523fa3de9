"""The contract of a leg's tables in the form of the Open Data Contract Standard (ODCS), as plain data.

Source: https://bitol-io.github.io/open-data-contract-standard.
"""

from itertools import zip_longest

from pyspark.sql import types as T

from pinterest_transforms.entities import ENTITIES, GEO, PIN, USER
from pinterest_transforms.schemas import column_class
from pinterest_transforms.settings import DEFAULT_USER_ID, Settings
from pinterest_transforms.tables.constraints import check_condition
from pinterest_transforms.tables.definitions import TableSpec, answer_specs, work_specs
from pinterest_transforms.tables.views import VIEWS, view_columns

CONTRACT_VERSION = "2.0.0"
"""Version of the contract. A breaking change needs a new first number, an added column or table a new second one."""
STANDARD_VERSION = "v3.2.0"
KEY = "ind"
_REFERRING = (GEO.batch_table, USER.batch_table)
"""Tables whose key refers to a pin's, as information: a record may come before its pin, or without one."""

Fields = dict[str, object]

_LOGICAL_TYPES: dict[type[T.DataType], str] = {
    T.LongType: "integer",
    T.IntegerType: "integer",
    T.DoubleType: "number",
    T.StringType: "string",
    T.BooleanType: "boolean",
    T.BinaryType: "string",
    T.TimestampType: "timestamp",
    T.ArrayType: "array",
    T.StructType: "object",
    T.MapType: "map",
}


def build_contract() -> Fields:
    """The contract: both legs' tables, their views and the answers."""
    return {
        "apiVersion": STANDARD_VERSION,
        "kind": "DataContract",
        "id": "pinterest",
        "name": "Pinterest posts",
        "version": CONTRACT_VERSION,
        "status": "active",
        "description": {
            "purpose": "Cleaned posts of a Pinterest-like service, and the analysts' ten questions answered from them",
            "usage": "Each leg has its own schema: pinterest (batch) and pinterest_stream. <id> is the user id",
            "limitations": "Records arrive at least once; the latest position of a key wins",
        },
        "schema": [*_work_tables(), *_views(), *(_table(spec, spec.name, spec.name) for spec in answer_specs())],
    }


def _work_tables() -> list[Fields]:
    batch, stream = (work_specs(Settings(leg=leg)) for leg in ("batch", "stream"))
    keyed = {Settings().clean_table(entity) for entity in ENTITIES}
    found = []
    for in_batch, in_stream in zip_longest(batch, stream):
        stream_name = in_stream.name.replace(DEFAULT_USER_ID, "<id>")
        batch_name = in_batch.name if in_batch else ""
        found.append(_table(in_stream, batch_name, stream_name, key=KEY if batch_name in keyed else ""))
    return found


def _views() -> list[Fields]:
    specs = [TableSpec(view, comment, view_columns(view)) for view, comment in VIEWS.items()]
    return [_table(spec, spec.name, spec.name, key=KEY, form="view") for spec in specs]


def _table(spec: TableSpec, batch_name: str, stream_name: str, *, key: str = "", form: str = "table") -> Fields:
    names = {"batchTable": batch_name, "streamTable": stream_name}
    properties = []
    for column in spec.columns:
        found = _property(column)
        if form == "table":
            found |= _limits(column)
        if column.name == key:
            found |= {"required": True, "unique": True, "primaryKey": True, "primaryKeyPosition": 1}
        if column.name == key and batch_name in _REFERRING:
            found |= {"relationships": [{"type": "foreignKey", "to": f"{PIN.batch_table}.{key}"}]}
        if column.name in spec.partitioned_by:
            found |= {"partitioned": True, "partitionKeyPosition": spec.partitioned_by.index(column.name) + 1}
        properties.append(found)
    return {
        "name": batch_name or stream_name.replace("<id>_", ""),
        "physicalName": batch_name or stream_name,
        "physicalType": form,
        "description": spec.comment,
        "properties": properties,
        "customProperties": [{"property": name, "value": value} for name, value in names.items() if value],
    }


def _property(column: T.StructField) -> Fields:
    return {
        "name": column.name,
        **_types(column.dataType),
        "description": column.metadata["comment"],
        "classification": column_class(column),
    }


def _limits(column: T.StructField) -> Fields:
    """What the engine refuses: a null, or a value that violates the column's CHECK constraint."""
    found: Fields = {"required": True} if column.metadata.get("required") else {}
    if condition := check_condition(column):
        query = f"SELECT count(*) FROM ${{object}} WHERE NOT ({condition})"
        rule = {"name": f"{column.name}_check", "type": "sql", "query": query, "mustBe": 0, "dimension": "conformity"}
        found["quality"] = [rule]
    return found


def _types(kind: T.DataType) -> Fields:
    found: Fields = {"logicalType": _LOGICAL_TYPES[type(kind)], "physicalType": _sql_type(kind)}
    if isinstance(kind, T.StructType):
        found["properties"] = [{"name": field.name, **_types(field.dataType)} for field in kind]
    if isinstance(kind, T.ArrayType):
        found["items"] = _types(kind.elementType)
    if isinstance(kind, T.MapType):
        found["map"] = {"key": _types(kind.keyType), "value": _types(kind.valueType)}
    return found


def _sql_type(kind: T.DataType) -> str:
    """The type in SQL; names of a struct's fields as they are."""
    if isinstance(kind, T.StructType):
        return f"STRUCT<{', '.join(f'{field.name}: {_sql_type(field.dataType)}' for field in kind)}>"
    return kind.simpleString().upper()
