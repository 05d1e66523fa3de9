"""What a user of the wheel imports, and what importing it costs."""

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

import pinterest_transforms
from pinterest_transforms import GEO, PIN, QUARANTINE, clean, clean_schema, latest_per_key
from pinterest_transforms.schemas import SOURCE_TYPE

LIGHT = """
import sys
sys.modules["pyspark"] = sys.modules["plotly"] = sys.modules["pandas"] = None
import pinterest_transforms
from pinterest_transforms import ENTITIES, PIN, PinterestError, Settings
print(pinterest_transforms.__version__, Settings().topic(PIN))
"""


def test_every_name_is_there() -> None:
    assert all(getattr(pinterest_transforms, name) is not None for name in pinterest_transforms.__all__)
    assert set(pinterest_transforms.__all__) <= set(dir(pinterest_transforms))
    assert {answer.name for answer in pinterest_transforms.ANSWERS} <= set(pinterest_transforms.__all__)
    with pytest.raises(AttributeError, match="module 'pinterest_transforms' has no attribute 'cleans'"):
        pinterest_transforms.cleans  # noqa: B018


def test_names_and_settings_need_no_spark() -> None:
    environment = {"PYTHONPATH": str(Path(pinterest_transforms.__file__).parents[1])}
    done = subprocess.run([sys.executable, "-c", LIGHT], env=environment, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.stdout.split() == [pinterest_transforms.__version__, "12f6caff3559.pin"]


def test_the_library_has_types() -> None:
    assert Path(pinterest_transforms.__file__).with_name("py.typed").is_file()


def test_any_frame_of_texts_is_cleaned(interpreted: SparkSession) -> None:
    repaired, rejected = '{"ind": 2, "country": 7, "latitude": 91}', '{"country": "Oman"}'
    lines = ['{"ind": 1, "country": "Peru"}', repaired, "", "{", rejected]
    payloads = [*(line.encode() for line in lines), None]  # the last one is a tombstone's
    frame = interpreted.createDataFrame([(payload, 5) for payload in payloads], "payload BINARY, other INT")

    geos, quarantined = clean(frame, GEO, column="payload")

    assert geos.schema.simpleString() == clean_schema(GEO).simpleString()
    assert [(row["ind"], row["country"], row["_source"]) for row in geos.orderBy("ind").collect()] == [
        (1, "Peru", None),
        (2, "7", None),
    ]
    assert quarantined.columns == QUARANTINE.names
    found = quarantined.orderBy("kind", "raw").collect()
    assert [(row["topic"], row["kind"], row["raw"], row["_source"]) for row in found] == [
        (None, "rejected", "{", None),
        (None, "rejected", rejected, None),
        (None, "repaired", repaired, None),
    ]


def test_a_stream_notes_when_it_saw_a_record(interpreted: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "lines.txt").write_text("{\n")
    _, quarantined = clean(interpreted.readStream.text(str(tmp_path)), PIN)
    planned = datetime.now(UTC)

    writer = quarantined.writeStream.format("memory").queryName("seen").trigger(availableNow=True)
    writer.start().awaitTermination()

    [found] = interpreted.table("seen").select(F.col("seen_at") >= F.lit(planned)).collect()
    assert found[0]


def test_where_a_record_came_from_is_carried_along(interpreted: SparkSession) -> None:
    rows = [
        ('{"index": 1, "title": "old"}', ("0", "1", None, "f")),
        ('{"index": 1, "title": "new"}', ("0", "2", None, "f")),
    ]
    frame = interpreted.createDataFrame(rows, f"value STRING, _source {SOURCE_TYPE.simpleString()}")

    pins, quarantined = clean(frame, PIN)

    [latest] = latest_per_key(pins).collect()
    assert (latest["title"], tuple(latest["_source"])) == ("new", ("0", "2", None, "f"))
    assert quarantined.count() == 0


def test_without_a_source_one_version_of_a_key_is_left(interpreted: SparkSession) -> None:
    lines = ['{"index": 1, "title": "a"}', '{"index": 1, "title": "b"}', '{"index": 2, "title": null, "category": "x"}']
    titles = [
        [row["title"] for row in latest_per_key(clean(frame, PIN)[0]).orderBy("ind").collect()]
        for given in (lines, lines[::-1])
        for frame in [interpreted.createDataFrame([(line,) for line in given], "value STRING")]
    ]
    assert titles == [["b", None], ["b", None]]
