"""What stands in the landing: the same whether this machine or Spark looks, and a clear error where nobody can."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from pyspark.sql import SparkSession

from pinterest_transforms.entities import GEO
from pinterest_transforms.errors import LandingError
from pinterest_transforms.operations.landing_summary import landing_summary
from tests.support.log_lines import log_lines
from tests.support.table_places import Place, pin


@pytest.mark.parametrize("warehouse", [True, False], ids=["this machine", "spark"])
def test_files_bytes_and_time_of_each_topic(make_place: Callable[..., Place], either: SparkSession, warehouse: bool):
    place = make_place("a [place]", names=())
    files = [place.put(0, pin(1), pin(2), age=7200), place.put(2, pin(3), partition=1, age=3600)]
    geo = place.put(0, "", entity=GEO, age=60)
    geo.with_name("_hidden.json").touch()
    geo.with_name("abc.geo+0+0000000001.JSON").write_text("{}")
    geo.with_name("abc.geo+0+0000000001.keys.json").write_text("1")
    leg = replace(place if warehouse else place.with_settings(warehouse=""), spark=either)
    with log_lines() as said:
        frame = landing_summary(leg)
    assert said == [
        "abc.geo: 1 file is not named <topic>+<partition>+<offset>.json or .json.gz and not taken: "
        "'partition=0/abc.geo+0+0000000001.JSON'"
    ]
    assert [(field.name, field.dataType.simpleString()) for field in frame.schema] == [
        ("topic", "string"),
        ("files", "bigint"),
        ("bytes", "bigint"),
        ("newest_file", "timestamp"),
        ("not_taken", "bigint"),
    ]
    rows = [
        tuple(row)
        for row in frame.selectExpr("topic", "files", "bytes", "unix_seconds(newest_file)", "not_taken").collect()
    ]
    assert rows == [
        ("abc.pin", 2, sum(file.stat().st_size for file in files), int(files[1].stat().st_mtime), 0),
        ("abc.geo", 1, 1, int(geo.stat().st_mtime), 1),
        ("abc.user", 0, 0, None, 0),
    ]


def test_a_landing_that_cannot_be_read_is_one_line(make_place: Callable[..., Place]):
    place = make_place(names=())
    file = place.put(0, pin(1))
    file.rename(file.with_suffix(".json.gz"))  # it can be listed, and not read
    for landing in ("s9://bucket", place.settings.landing):
        with pytest.raises(LandingError) as error:
            landing_summary(place.with_settings(landing=landing))
        assert str(error.value).startswith(f"landing must be readable, got {landing!r}: ")
        assert "\n" not in str(error.value)
