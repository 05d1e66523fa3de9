"""What stands in the landing: the same whether this machine or Spark looks, and a clear error where nobody can."""

from collections.abc import Callable

import pytest
from pyspark.sql import SparkSession
from storage_places import Place, pin

from pinterest_transforms.entities import GEO
from pinterest_transforms.errors import LandingError
from pinterest_transforms.storage.arrivals import landed


@pytest.mark.parametrize("warehouse", [True, False], ids=["this machine", "spark"])
def test_files_bytes_and_time_of_each_topic(make_place: Callable[..., Place], either: SparkSession, warehouse: bool):
    place = make_place("a [place]")
    files = [place.put(0, pin(1), pin(2), age=7200), place.put(2, pin(3), partition=1, age=3600)]
    geo = place.put(0, "", entity=GEO, age=60)
    geo.with_name("_hidden.json").touch()
    settings = (place if warehouse else place.with_settings(warehouse="")).settings
    frame = landed(either, settings)
    assert [(field.name, field.dataType.simpleString()) for field in frame.schema] == [
        ("topic", "string"),
        ("files", "bigint"),
        ("bytes", "bigint"),
        ("newest_file", "timestamp"),
    ]
    rows = [tuple(row) for row in frame.selectExpr("topic", "files", "bytes", "unix_seconds(newest_file)").collect()]
    assert rows == [
        ("abc.pin", 2, sum(file.stat().st_size for file in files), int(files[1].stat().st_mtime)),
        ("abc.geo", 1, 1, int(geo.stat().st_mtime)),
        ("abc.user", 0, 0, None),
    ]


def test_a_landing_that_cannot_be_read_is_one_line(place: Place):
    with pytest.raises(LandingError) as error:
        landed(place.spark, place.with_settings(landing="s9://bucket").settings)
    assert str(error.value).startswith("landing must be readable, got 's9://bucket': ")
    assert "\n" not in str(error.value)
