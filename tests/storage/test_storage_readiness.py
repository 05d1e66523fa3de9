"""What makes a task run set-up again, and that nothing else does."""

import shutil
from collections.abc import Callable

import pytest
from storage_places import Place

from pinterest_transforms.storage import readiness, tables


@pytest.fixture
def set_ups(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Schemas that set-up was run for, in place of running it."""
    found: list[str] = []
    monkeypatch.setattr(tables, "set_up", lambda _, settings: found.append(settings.schema))
    return found


def alter(table: str, clause: str) -> Callable[[Place], object]:
    return lambda place: place.spark.sql(f"ALTER TABLE {place.settings.qualified(table)} {clause}")


@pytest.mark.parametrize(
    ("change", "needed"),
    [
        (lambda _: None, False),
        (alter("users", "SET TBLPROPERTIES ('somebody' = 'else')"), False),
        (alter("runs", "SET TBLPROPERTIES ('pinterest.schema_version' = '0')"), True),
        (alter("runs", "SET TBLPROPERTIES ('pinterest.schema_version' = '999')"), True),
        (lambda place: shutil.rmtree(place.settings.table_folder("quarantine")), True),
        (lambda place: place.spark.sql(f"DROP VIEW {place.settings.qualified('posts')}"), False),
    ],
    ids=["as made", "another property", "older", "newer", "no folder", "no view in the session"],
)
def test_set_up_runs_again_where_a_table_is_not_this_library_s(
    place: Place, set_ups: list[str], change: Callable[[Place], object], needed: bool
) -> None:
    change(place)
    readiness.ensure_tables(place.spark, place.settings)
    assert set_ups == ([place.settings.schema] if needed else [])


def test_set_up_runs_where_a_table_or_the_view_is_missing(
    place: Place, set_ups: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Where a catalog manages the tables, attaching does nothing.
    monkeypatch.setattr(tables, "attach", lambda *_: None)
    for dropped in ("VIEW", "posts"), ("TABLE", "geolocations"):
        place.spark.sql(f"DROP {dropped[0]} {place.settings.qualified(dropped[1])}")
        readiness.ensure_tables(place.spark, place.settings)
    assert set_ups == [place.settings.schema] * 2
