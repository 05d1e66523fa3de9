"""Places with tables, for each test. Making tables takes seconds, so they are made once and copied.

Each place has a schema of its own, since one session has one catalog.
"""

import itertools
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from storage_places import Place

from pinterest_transforms.settings import Settings
from pinterest_transforms.storage import tables


@pytest.fixture(scope="module", autouse=True)
def _interpreting(interpreted: SparkSession) -> None:
    """Every module here makes many plans of few records."""


@pytest.fixture(scope="session")
def all_tables(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A warehouse that set-up has made, with nothing in it. To be read and copied only."""
    warehouse = tmp_path_factory.mktemp("made")
    place = Place(spark, Settings(user_id="abc", schema="made", warehouse=str(warehouse)))
    tables.set_up(spark, place.settings)
    return place


@pytest.fixture(scope="session")
def make_place(all_tables: Place, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Place]:
    """Makes places with the tables of the batch leg's work."""
    numbers = itertools.count()

    def make(folder_name: str = "place", **changes: object) -> Place:
        number = next(numbers)
        folder = tmp_path_factory.mktemp("places") / folder_name
        (folder / "landing").mkdir(parents=True)
        names = {"landing": str(folder / "landing"), "warehouse": str(folder / "warehouse"), "schema": f"place{number}"}
        place = Place(all_tables.spark, Settings(**{"user_id": "abc", **names, **changes}))
        for table in Path(all_tables.settings.warehouse, "made").iterdir():
            shutil.copytree(table, Path(place.settings.warehouse, place.settings.schema, table.name))
        tables.attach(place.spark, place.settings)
        return place

    return make


@pytest.fixture
def place(make_place: Callable[..., Place]) -> Place:
    return make_place()
