"""What makes a task run set-up again, and that nothing else does."""

import shutil
from collections.abc import Callable

import pytest

from pinterest_transforms.schemas import SCHEMA_VERSION
from pinterest_transforms.tables import creation
from tests.support.table_places import WORK, Place


@pytest.fixture
def set_ups(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Schemas that set-up was run for, in place of running it."""
    found: list[str] = []
    monkeypatch.setattr(creation, "set_up", lambda leg: found.append(leg.settings.schema))
    return found


def test_set_up_runs_again_where_a_table_is_not_this_library_s(
    make_place: Callable[..., Place], set_ups: list[str]
) -> None:
    place = make_place(names=WORK)
    runs = place.settings.qualified("runs")

    def version(number: int) -> str:
        return f"ALTER TABLE {runs} SET TBLPROPERTIES ('pinterest.schema_version' = '{number}')"

    for what, statement, needed in (
        ("as made", "SELECT 1", False),
        ("another property", f"ALTER TABLE {runs} SET TBLPROPERTIES ('somebody' = 'else')", False),
        ("no view in the session", f"DROP VIEW {place.settings.qualified('posts')}", False),
        ("older", version(0), True),
        ("newer", version(999), True),
        ("put right", version(SCHEMA_VERSION), False),
    ):
        set_ups.clear()
        place.spark.sql(statement)
        creation.ensure_tables(place)
        assert set_ups == ([place.settings.schema] if needed else []), what
    shutil.rmtree(place.settings.table_folder("quarantine"))
    creation.ensure_tables(place)
    assert set_ups == [place.settings.schema]


def test_set_up_runs_where_a_table_or_the_view_is_missing(
    make_place: Callable[..., Place], set_ups: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    place = make_place(names=WORK)
    # Where a catalog manages the tables, attaching does nothing.
    monkeypatch.setattr(creation, "register_tables", lambda *_: None)
    for dropped in ("VIEW", "posts"), ("TABLE", "geolocations"):
        place.spark.sql(f"DROP {dropped[0]} {place.settings.qualified(dropped[1])}")
        creation.ensure_tables(place)
    assert set_ups == [place.settings.schema] * 2
