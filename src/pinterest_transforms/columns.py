r"""The rules for one value, a column or its name. Each gives null for what it cannot use, and never raises under ANSI.

Every input is the text of a JSON value, as ``json_parsing.parse_json`` reads it. Patterns are anchored ``\A…\z``
because ``$`` also matches before a last line feed. Source: the data contract, section 3.
"""

import secrets
from collections.abc import Callable, Sequence

from pyspark.sql import Column
from pyspark.sql import functions as F
from pyspark.sql import types as T

_SINGLES = [0x20, 0x85, 0xA0, 0x1680, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000]
WHITE_SPACE = "".join(map(chr, [*range(0x09, 0x0E), *range(0x2000, 0x200B), *_SINGLES]))
"""Unicode's 25 White_Space characters."""

_INT_MAX = 2_147_483_647
_LONG_MAX = 9_223_372_036_854_775_807
_ZONE = r"(?:Z|[+-]\d{2}:?\d{2})?"
_CLOCK = r"\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?" + _ZONE
_ISO_DATE = r"\A\d{4}-\d{2}-\d{2}[ T]" + _CLOCK + r"\z"
_COLON_DATE = r"\A\d{4}:\d{2}:\d{2} " + _CLOCK + r"\z"
_SLASH_DATE = r"\A\d{2}/\d{2}/\d{4}, " + _CLOCK + r"\z"
_DATE_ALONE = r"\A\d{4}-\d{2}-\d{2}\z"
_NUMBER = r"\A[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d{1,3})?\z"
# As many decimals as the decimal types below can hold: more would be rounded to a whole number.
_WHOLE = r"\A[+-]?\d+(?:\.\d{1,17}0*)?(?:[eE]\+?\d{1,2})?\z"
_COUNT = r"\A(?:\d+|\d{1,3}(?:,\d{3})+)(?:\.\d{1,9}0*)?[kKmMbB]?\z"
# Below it every whole number has its own double.
_DOUBLE_EXACT = 2**53
_SAVED_IN = "Local save in "
UNPAIRED_SURROGATE = f"[{secrets.token_hex(8)}"
"""In the place of a text with half a surrogate pair: no sender can write it, and no rule can use it."""


def _column(value: str | Column) -> Column:
    """The column, or the one of that name: rules take either, as pyspark's own functions do."""
    return F.col(value) if isinstance(value, str) else value


def apply_without_codegen(rule: Callable[[Column], Column], value: Column) -> Column:
    """What a rule gives for a value that few records have, null for null.

    Spark generates Java code for each expression of a projection, and a higher-order function is what it evaluates
    without. So rare values do not make that code larger than the Java compiler takes, which is 8,000 bytes a method:
    above, it would be interpreted too, for the usual values as well.
    """
    return F.when(value.isNotNull(), _with_value(value, rule))


def _with_value(value: Column, rule: Callable[[Column], Column]) -> Column:
    """What a rule gives that names its value often, here once: Spark's analyzer and optimizer walk each copy of it."""
    return F.get(F.transform(F.array(value), rule), F.lit(0))


def trim_whitespace(raw: str | Column) -> Column:
    """The text without white space at its ends; null if nothing is left.

    >>> spark.range(1).select(trim_whitespace(F.lit("\u00a0 a b "))).first()[0]
    'a b'
    """
    raw = _column(raw)
    return F.when(_has_plain_ends(raw), raw).otherwise(apply_without_codegen(_trim_any, raw))


def _trim_any(raw: Column) -> Column:
    """Spark's trim over 25 characters walks the whole text."""
    return F.nullif(F.btrim(raw, F.lit(WHITE_SPACE)), F.lit(""))


def _has_plain_ends(value: Column) -> Column:
    """True if the first and the last character are visible ASCII."""
    last = F.substring(value.cast("binary"), -1, 1)
    return (value >= "!") & (value < "\x7f") & last.between(F.lit(b"!"), F.lit(b"~"))


def null_if_placeholder(value: str | Column, placeholders: Sequence[str], cleaned: Column | None = None) -> Column:
    """The value, or what a rule makes of it; null where the value is one of the placeholders, whole.

    Args:
        value: the text, trimmed.
        placeholders: texts that stand for a missing value.
        cleaned: what a rule makes of the value; the value itself without it.

    >>> spark.range(1).select(null_if_placeholder(F.lit("Untitled"), ("Untitled",))).first()[0]
    """
    value = _column(value)
    cleaned = value if cleaned is None else cleaned
    return F.when(~value.isin(list(placeholders)), cleaned) if placeholders else cleaned


def may_be_no_text(value: str | Column) -> Column:
    """True for what starts as an object, an array, NaN or half a surrogate pair does in the JSON reader's text.

    >>> spark.range(1).select(may_be_no_text(F.lit('{"a":1}'))).first()[0]
    True
    """
    value = _column(value)
    return value.startswith("{") | value.startswith("[") | value.startswith('"')


def parse_text(value: str | Column, kind: str | Column) -> Column:
    """A text, null where the record holds an object, an array or NaN instead.

    Read as text, an object looks like a title that starts with a brace, so the record itself is looked up;
    only for texts that start so, which are few.

    Args:
        value: the text as the JSON reader gives it, or trimmed.
        kind: the same value of the record, as VARIANT.

    >>> spark.range(1).select(parse_text(F.lit('[1]'), F.parse_json(F.lit('[1]')))).first()[0]
    """

    def text_alone(pair: Column) -> Column:
        is_text = (F.schema_of_variant(pair["kind"]) == "STRING") & (pair["value"] != UNPAIRED_SURROGATE)
        return F.when(is_text, pair["value"])

    value, pair = _column(value), F.struct(_column(value).alias("value"), _column(kind).alias("kind"))
    return F.when(may_be_no_text(value), _with_value(pair, text_alone)).otherwise(value)


def parse_whole_number(value: str | Column, low: int, high: int) -> Column:
    """A whole number from low to high as BIGINT, written ``7166``, ``7166.0`` or as a JSON number with an exponent.

    The JSON reader makes a double of a number with a fraction, and writes a large one with an E: where that may be
    another number than the sender's, it is unusable.

    >>> spark.range(1).select(parse_whole_number(F.lit("7166.0"), 0, 9999)).first()[0]
    7166
    """

    def exactly(value: Column) -> Column:
        def usable(exact: Column) -> Column:
            told_apart = ~value.contains("E") | (exact < _DOUBLE_EXACT)
            whole = (exact == F.floor(exact)) & exact.between(F.lit(low), F.lit(high))
            return F.when(whole & told_apart, exact.try_cast("bigint"))

        exact = F.when(value.rlike(_WHOLE) & (F.length(value) < 40), value).try_cast("decimal(37,17)")
        return _with_value(exact, usable)

    value = _column(value)
    digits = F.when(_is_digits(value), value).try_cast("bigint")
    return F.coalesce(F.when(digits.between(low, high), digits), apply_without_codegen(exactly, value))


def _is_digits(value: Column) -> Column:
    """True of what nearly every record has for a number: a few ASCII digits and nothing else, not even a sign."""
    return (F.octet_length(value) < 20) & (F.ltrim(value, F.lit("0123456789")) == "")


def parse_key(value: str | Column) -> Column:
    """The key as BIGINT: a whole number from 0 that fits.

    >>> spark.range(1).select(parse_key(F.lit("-1"))).first()[0]
    """
    return parse_whole_number(value, 0, _LONG_MAX)


def parse_age(value: str | Column) -> Column:
    """Age in years as INT, 1 to 120.

    >>> spark.range(1).select(parse_age(F.lit("42"))).first()[0]
    42
    """
    return parse_whole_number(value, 1, 120).cast("int")


def parse_follower_count(value: str | Column) -> Column:
    """Followers as INT: digits, decimals, thousands commas and k, M or B; exact, so ``1.1k`` is 1100.

    A value that is no whole number, or does not fit INT, is unusable.

    >>> spark.range(1).select(parse_follower_count(F.lit("1.1k"))).first()[0]
    1100
    """
    value = _column(value)
    thousands = value.endswith("k") & (value < ":")  # a digit first, or less: of a k alone nothing would be left
    digits = F.when(thousands, F.concat(_without_last_byte(value), F.lit("000"))).otherwise(value)
    quick = F.when(_is_digits(digits), digits).try_cast("int")
    return F.coalesce(quick, apply_without_codegen(_any_follower_count, value))


def _any_follower_count(value: Column) -> Column:
    # Both cases by name: Spark's upper() loads every name of every character first, which takes seconds.
    powers = {"k": 1_000, "m": 1_000_000, "b": 1_000_000_000}
    factor = F.lit(1)
    for letter, power in powers.items():
        factor = F.when(value.endswith(letter) | value.endswith(letter.upper()), power).otherwise(factor)
    bare = F.when(factor == 1, value).otherwise(_without_last_byte(value))
    digits = F.when(value.rlike(_COUNT) & (F.length(value) < 40), F.replace(bare, F.lit(","), F.lit("")))

    def usable(number: Column) -> Column:
        return F.when((number == F.floor(number)) & (number <= _INT_MAX), number.try_cast("int"))

    number = _with_value(digits.try_cast("decimal(20,9)") * factor, usable)
    return F.coalesce(number, parse_whole_number(value, 0, _INT_MAX).cast("int"))


def _without_last_byte(value: Column) -> Column:
    return _cut(value, F.lit(1), F.octet_length(value) - 1)


def _cut(value: Column, start: Column, size: Column) -> Column:
    """A part of a text, by bytes: the characters of a text are counted before it is cut."""
    return F.substring(value.cast("binary"), start, size).cast("string")


def parse_save_location(value: str | Column) -> Column:
    """The path alone: ``/data/art`` of ``Local save in /data/art``.

    >>> spark.range(1).select(parse_save_location(F.lit("Local save in /data/art"))).first()[0]
    '/data/art'
    """
    value = _column(value)
    usual = F.when(value.startswith(f"{_SAVED_IN}/"), _without_saved_in(value))
    return usual.otherwise(apply_without_codegen(_any_path, value))


def _any_path(value: Column) -> Column:
    path = F.coalesce(F.when(value.startswith(_SAVED_IN), trim_whitespace(_without_saved_in(value))), value)
    return _with_value(path, lambda path: F.when(path.startswith("/"), path))


def _without_saved_in(value: Column) -> Column:
    return _cut(value, F.lit(len(_SAVED_IN) + 1), F.lit(_INT_MAX))


def parse_degrees(value: str | Column, limit: int) -> Column:
    """A finite number of degrees as DOUBLE within ± limit.

    >>> spark.range(1).select(parse_degrees(F.lit("-120.5"), 180)).first()[0]
    -120.5
    """
    value = _column(value)
    number = F.when(value.rlike(_NUMBER), value).try_cast("double")
    return F.when(number.between(-limit, limit), number)


def parse_timestamp(value: str | Column) -> Column:
    """A TIMESTAMP from the four spellings, or a date alone, its midnight; UTC without a zone; years 1900 to 2100.

    >>> spark.range(1).select(parse_timestamp(F.lit("08/28/2020, 03:52:47")).cast("string")).first()[0]
    '2020-08-28 03:52:47'
    """
    value = _column(value)
    return F.coalesce(_plain_timestamp(value), apply_without_codegen(_any_timestamp, value))


def _plain_timestamp(value: Column) -> Column:
    """The quick way for what nearly every record has: ``2020-08-28 03:52:47``, or with a T.

    Of the texts that Spark takes for a timestamp, these alone have 19 bytes, a year of four digits, a digit last and
    no fraction. Spark also takes a year of five or six.
    """
    fifth, last = (F.substring(value.cast("binary"), place, 1) for place in (5, -1))
    year = (value >= "1900") & (value < "2101") & (fifth == F.lit(b"-"))
    shape = year & (F.octet_length(value) == 19) & ~value.contains(".")
    zoned = F.when(shape & last.between(F.lit(b"0"), F.lit(b"9")), F.concat(value, F.lit("Z")))
    return zoned.try_cast(T.TimestampType())


def _any_timestamp(value: Column) -> Column:
    """The pattern is checked first: a bare time would be read as today."""
    iso = F.when(value.rlike(_ISO_DATE), value)
    colon = F.concat_ws("-", F.substring(value, 1, 4), F.substring(value, 6, 2), F.substring(value, 9, 999))
    slash = F.concat(
        F.concat_ws("-", F.substring(value, 7, 4), F.substring(value, 1, 2), F.substring(value, 4, 2)),
        F.substring(value, 12, 999),
    )
    midnight = F.concat(value, F.lit(" 00:00:00"))
    iso = F.coalesce(
        iso,
        F.when(value.rlike(_COLON_DATE), colon),
        F.when(value.rlike(_SLASH_DATE), slash),
        F.when(value.rlike(_DATE_ALONE), midnight),
    )
    low, high = (F.lit(f"{year}-01-01T00:00:00Z").cast(T.TimestampType()) for year in (1900, 2101))
    moment = _with_value(iso, _zoned).try_cast(T.TimestampType())
    return _with_value(moment, lambda moment: F.when((moment >= low) & (moment < high), moment))


def _zoned(iso: Column) -> Column:
    """The text with its zone, UTC where it has none."""
    zoned = iso.endswith("Z") | F.substring(iso, -6, 1).isin("+", "-") | F.substring(iso, -5, 1).isin("+", "-")
    return F.when(zoned, iso).otherwise(F.concat(iso, F.lit("Z")))


def join_names(first: str | Column, last: str | Column) -> Column:
    """First and last name with one space; null only if both are missing.

    >>> spark.range(1).select(join_names(F.lit("Ada"), F.lit(None))).first()[0]
    'Ada'
    """
    return F.nullif(F.concat_ws(" ", first, last), F.lit(""))
