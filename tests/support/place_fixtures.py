"""Places with tables, for each test. Making tables takes seconds, so they are made once and copied.

Each place has a schema of its own, since one session has one catalog.
"""

import itertools
import shutil
from collections.abc import Callable, Sequence

import pytest
from pyspark.sql import SparkSession

from pinterest_transforms.settings import Settings
from pinterest_transforms.tables import creation
from tests.support.stream_places import made_streams, made_tables  # noqa: F401 - fixtures
from tests.support.table_places import PINS, WORK, Place, set_up_only


@pytest.fixture(scope="session")
def work_tables(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A warehouse with the tables of the batch leg's work, and nothing in them. To be read and copied only."""
    warehouse = tmp_path_factory.mktemp("made")
    place = Place(spark, Settings(user_id="abc", schema="made", warehouse=str(warehouse)))
    set_up_only(place, *WORK)
    return place


@pytest.fixture(scope="session")
def make_place(work_tables: Place, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Place]:
    """Makes places with the tables that a landing of pins needs, or with others: each takes a while to attach."""
    numbers = itertools.count()

    def make(folder_name: str = "place", *, names: Sequence[str] = PINS, **changes: object) -> Place:
        number = next(numbers)
        folder = tmp_path_factory.mktemp("places") / folder_name
        (folder / "landing").mkdir(parents=True)
        where = {"landing": str(folder / "landing"), "warehouse": str(folder / "warehouse"), "schema": f"place{number}"}
        place = Place(work_tables.spark, Settings(**{"user_id": "abc", **where, **changes}))
        for name in names:
            shutil.copytree(work_tables.settings.table_folder(name), place.settings.table_folder(name))
        creation.register_tables(place)
        return place

    return make


@pytest.fixture
def place(make_place: Callable[..., Place]) -> Place:
    return make_place()
