"""``python -m benchmarks.rules``: what the cleaning rules cost, one by one and together; writes ``rules.md``.

Every figure is CPU time of Java, so that a machine with other work gives nearly the same. A rule alone is measured on
one value again and again, once as nearly every record has it and once in an unusual spelling; the same projection
without the rule is taken off. Everything goes to Spark's ``noop`` sink, in turns, and medians are shown.
"""

import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import psutil
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from benchmarks.landings import make_landing
from benchmarks.pages import build_parser, machine, table, write_page
from local.runtime.spark_session import start_local_session, stop_session
from pinterest_transforms import columns
from pinterest_transforms.cleaning import validate_and_clean
from pinterest_transforms.entities import ENTITIES, PIN, Entity
from pinterest_transforms.ingest.landing_reader import raw_records
from pinterest_transforms.json_parsing import parse_json
from pinterest_transforms.settings import Settings

_WARM, _ROUNDS = 5, 7
_VALUES = 2_000_000

Rule = Callable[[Column], Column]
RULES: dict[str, tuple[Rule, str, str]] = {
    "trim_whitespace": (columns.trim_whitespace, "Home decor lamps", "Лампа для дома\u00a0"),
    "null_if_placeholder": (
        lambda value: columns.null_if_placeholder(value, PIN.placeholders["description"]),
        "Home decor lamps",
        "Untitled",
    ),
    "parse_text": (
        lambda value: columns.parse_text(value, F.try_parse_json(F.to_json(F.array(value)))),
        "Lamp",
        "[DIY] lamp",
    ),
    "parse_key": (columns.parse_key, "7166", "7166.0"),
    "parse_age": (columns.parse_age, "27", "27.0"),
    "parse_follower_count": (columns.parse_follower_count, "9k", "1.1k"),
    "parse_save_location": (columns.parse_save_location, "Local save in /data/art", "Local save in  /data/art"),
    "parse_degrees": (lambda value: columns.parse_degrees(value, 180), "-124.3797", "400"),
    "parse_timestamp": (columns.parse_timestamp, "2020-08-28 03:52:47", "08/28/2020, 03:52:47"),
    "join_names": (lambda value: columns.join_names(value, value), "Ana", "Олег"),
}
"""A rule, the usual value and an unusual one."""


def _java_seconds() -> float:
    """CPU seconds of this process' Java since it started."""
    times = [child.cpu_times() for child in psutil.Process().children(recursive=True) if child.name() == "java"]
    return sum(found.user + found.system for found in times)


def _medians(frames: Mapping[str, DataFrame]) -> dict[str, float]:
    """Java's CPU seconds of each frame."""
    seconds: dict[str, list[float]] = {name: [] for name in frames}
    for number in range(_WARM + _ROUNDS):
        for name, frame in frames.items():
            start = _java_seconds()
            frame.write.format("noop").mode("overwrite").save()
            if number >= _WARM:
                seconds[name].append(_java_seconds() - start)
    return {name: statistics.median(found) for name, found in seconds.items()}


def _rule_rows(spark: SparkSession) -> list[list[str]]:
    """A row of the table for each rule: nanoseconds a value."""
    rows = []
    for name, (rule, *examples) in RULES.items():
        frames = {}
        for example in examples:
            # A literal alone would be computed when the query is planned.
            value = F.when(F.col("id") >= 0, example)
            given = spark.range(0, _VALUES, 1, 1).select(value.alias("value"))
            frames[f"{example}, given"] = given
            frames[example] = given.select("value", rule(F.col("value")))
        found = _medians(frames)
        costs = [(found[example] - found[f"{example}, given"]) / _VALUES * 1e9 for example in examples]
        rows.append([name, *(f"{cost:,.0f} (`{example}`)" for cost, example in zip(costs, examples, strict=True))])
        print(" | ".join(rows[-1]), flush=True)
    return rows


def _entity_row(entity: Entity, records: DataFrame) -> list[str]:
    """A row of the table: seconds a million records."""
    rows = validate_and_clean(records, entity, every_raw=False)
    found = _medians({"lines": records, "parsed": parse_json(records, entity), "cleaned": rows})
    costs = [found["lines"], found["parsed"], found["cleaned"], found["cleaned"] - found["parsed"]]
    row = [entity.name, *(f"{cost / records.count() * 1e6:.2f}" for cost in costs)]
    print(" | ".join(row), flush=True)
    return row


def measure(posts: int, work: Path) -> list[str]:
    """The page's lines: each entity's rules together, then each rule alone."""
    landing = make_landing(posts, work)
    spark = start_local_session(work / "spark", app_name="bench-rules")
    try:
        found = []
        for entity in ENTITIES:
            files = Path(Settings(landing=str(landing.folder)).topic_folder(entity)).glob("partition=*/*.json")
            found.append(_entity_row(entity, raw_records(spark, sorted(map(str, files)))))
        rules = _rule_rows(spark)
    finally:
        stop_session(spark)
    return [
        f"## By entity, {posts:,} posts",
        "",
        "CPU seconds of Java for a million records.",
        "",
        *table(["entity", "lines", "parsed", "cleaned", "cleaned - parsed"], found),
        "## Rule by rule",
        "",
        "CPU nanoseconds of Java for one value.",
        "",
        *table(["rule", "usual value", "unusual value"], rules),
        *machine({}),
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures, and writes the page."""
    parser = build_parser("benchmarks.rules", "Measures the cleaning rules, each alone and together.", "rules.md")
    parser.add_argument("--posts", type=int, default=100_000, help="of the landing that is read (100000)")
    options = parser.parse_args(arguments)
    title = "What the cleaning rules cost"
    return write_page(options.output, title, _ROUNDS, lambda work: measure(options.posts, work))


if __name__ == "__main__":
    sys.exit(main())
