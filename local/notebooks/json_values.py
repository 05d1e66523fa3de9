"""Values of Spark's rows as plain data: what JSON can hold, timestamps in UTC."""

import base64
import math
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import cast

from pyspark.sql import Row
from pyspark.sql.types import ArrayType, DataType, DecimalType, MapType, StructType, TimestampType, VariantVal


def to_utc(value: datetime) -> datetime:
    """The moment in UTC; pyspark gives moments in this machine's time zone, without saying so."""
    return value.astimezone(UTC)


def to_json_value(value: object, kind: DataType) -> object:
    """The value as what JSON can hold, and nothing lost by it.

    Timestamps are ISO-8601 with Z (without it where the type has no zone), binary is base64, decimals with places and
    numbers that JSON has not (NaN, Infinity) are text.
    """
    if value is None:
        return None
    if isinstance(kind, StructType):
        parts = zip(kind, cast("Row", value), strict=True)
        return {field.name: to_json_value(part, field.dataType) for field, part in parts}
    if isinstance(kind, ArrayType):
        return [to_json_value(part, kind.elementType) for part in cast("list[object]", value)]
    if isinstance(kind, MapType) and isinstance(value, dict):
        return {str(to_json_value(k, kind.keyType)): to_json_value(v, kind.valueType) for k, v in value.items()}
    return _convert_atom(value, kind)


def _convert_atom(value: object, kind: DataType) -> object:
    if isinstance(value, datetime):
        has_zone = isinstance(kind, TimestampType)
        return to_utc(value).isoformat().replace("+00:00", "Z") if has_zone else value.isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bytes | bytearray):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, float | Decimal):
        return _convert_number(value, kind)
    if isinstance(value, VariantVal):
        return value.toPython()
    return value if isinstance(value, bool | int | str) else str(value)


def _convert_number(value: float | Decimal, kind: DataType) -> object:
    if isinstance(value, Decimal):
        return int(value) if isinstance(kind, DecimalType) and kind.scale == 0 else f"{value:f}"
    return value if math.isfinite(value) else {math.inf: "Infinity", -math.inf: "-Infinity"}.get(value, "NaN")
