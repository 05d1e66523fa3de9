"""Erased posts: gone from every table and file, and never back, whatever is killed, replayed or delivered again."""

import gzip
import json
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from itertools import count
from operator import itemgetter
from pathlib import Path

import pytest
from pyarrow import parquet
from pyspark.sql import SparkSession

from local.cli import erase_command, local_cli
from pinterest_transforms.analysis.answers import answer_named
from pinterest_transforms.entities import ENTITIES, GEO, PIN, USER
from pinterest_transforms.errors import BusyError, LandingError, SettingsError
from pinterest_transforms.operations import erasure
from pinterest_transforms.tables import answer_tables, table_access
from pinterest_transforms.tables.commits import last_commit
from pinterest_transforms.tables.locks import entity_lock
from tests.support.catalog import forget_tables
from tests.support.stream_places import MakeStreams, geo
from tests.support.table_places import WORK, Killed, Place, counts, pin

NAME, TITLE, AGE, LATITUDE, POSTER = "Canaryfirst Holm", "canarytitle", 119, 77.40253, "canaryposter"
CANARIES = ("Canaryfirst", TITLE, "77.40253", POSTER, "canaryolder")
GONE, KEPT = 17, 42


@pytest.fixture(autouse=True)
def _interpreting(interpreted: SparkSession) -> None:
    """Every test here makes many plans of few records."""


def land(place: Place, offset: int = 0) -> None:
    """Two posts; of the one that is erased also an older version, a repaired record, and rejected ones."""
    one = pin(GONE, TITLE, poster_name=POSTER, follower_count="9k", category="art")
    other = pin(KEPT, "kept", poster_name="kept", follower_count="1k", category="art")
    broken = f'{{"index": {GONE}, "title": "{TITLE}"}} {{"index": {GONE}}}'
    repaired = {**one, "index": "\u00a0+1.7e1", "follower_count": "lots"}
    place.put(offset, {**one, "title": "canaryolder"}, one, repaired, broken, other)
    where = {"timestamp": "2019-01-01 00:00:00", "country": "Peru", "longitude": 1.0}
    places = [{"ind": key, "latitude": latitude, **where} for key, latitude in ((GONE, LATITUDE), (KEPT, 5.0))]
    file = place.put(offset, *places, entity=GEO)
    file.with_suffix(".json.gz").write_bytes(gzip.compress(file.read_bytes()))
    file.unlink()
    first, last = NAME.split()
    born = {"first_name": first, "last_name": last, "age": AGE, "date_joined": "2016-03-01T08:15:00"}
    other_user = {"first_name": "Kept", "age": 30, "date_joined": "2016-03-02"}
    users = [{"ind": GONE, **born}, {"ind": KEPT, **born, **other_user}]
    place.put(offset, *users, entity=USER)


@pytest.fixture(scope="module")
def loaded_place(make_place: Callable[..., Place]) -> Iterator[Place]:
    """The two posts in folders as the command line has them, with a producer's failed file and a report.

    Of the ten answers there is the one that names a person.
    """
    place = make_place(names=WORK, schema="pinterest")
    land(place)
    root = Path(place.settings.warehouse).parent
    (root / "failed.jsonl").write_text(json.dumps({"entity": "pin", "value": pin(GONE, TITLE)}) + "\n")
    (root / "report.html").write_text(TITLE)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(answer_tables, "ANSWERS", [answer_named("top_user_by_country")])
        place.take(*ENTITIES)
        answer_tables.refresh_answers(place)
        yield place
    forget_tables(place.spark, "pinterest")


def keys(place: Place) -> set[int]:
    """Keys in any clean table; no quarantined record names the erased one."""
    assert not any(canary in str(place.read_quarantine()) for canary in CANARIES)
    return {row for entity in ENTITIES for row in place.rows(entity)}


def texts(folder: Path) -> Iterator[tuple[Path, str]]:
    """Every file below a folder, its compressed pages decoded."""
    for file in (path for path in folder.rglob("*") if path.is_file()):
        content = file.read_bytes()
        yield file, content.decode("latin-1")
        if file.suffix == ".parquet":
            yield file, str(parquet.ParquetFile(file).read().to_pydict())
        if file.suffix == ".gz":
            yield file, gzip.decompress(content).decode("latin-1")


@contextmanager
def dying_in(step: str, call: int) -> Iterator[None]:
    """The erasure is killed when it comes to a step for the n-th time."""
    whole, calls = getattr(erasure, step), count(1)

    def killed(*given: object, **named: object) -> object:
        if next(calls) == call:
            raise Killed
        return whole(*given, **named)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(erasure, step, killed)
        with pytest.raises(Killed):
            yield


def test_a_purged_post_is_in_no_file_and_never_comes_back(
    loaded_place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever step is killed, the next run does what was left undone, even if it finds no post itself."""
    root = Path(loaded_place.settings.warehouse).parent
    assert {canary for canary in CANARIES for _, text in texts(root) if canary in text} == set(CANARIES)
    found = erasure.find_keys_of_user(loaded_place, NAME, "2016-03-01")
    assert found == erasure.find_keys_of_user(loaded_place, NAME, "20160301") == (GONE,)
    for when, key in (
        *(("2016-03-01", ()), (" 2016-03-02 ", (KEPT,))),  # joined at midnight: of one day alone
        *(("2016-03-02T01:00:00+01:00", (KEPT,)), ("2016-03-02T00:00:01", ()), ("2016-03-01T23:59:59", ())),
    ):
        assert erasure.find_keys_of_user(loaded_place, " Kept Holm ", when) == key
    before = loaded_place.content()
    would_go = {row.place: row.rows for row in erasure.count_rows(loaded_place, found)}
    assert would_go == {"pins": 1, "geolocations": 1, "users": 1, "quarantine": 2, "landing": 6}
    assert loaded_place.content() == before

    with dying_in("_note", 1):
        erasure.erase(loaded_place, found, purge=True)
    given = ["erase", "--user", NAME, "--joined", "2016-03-01", "--user-id", "abc", "--apply", "--purge"]
    for name in ("warehouse", "landing", "failed.jsonl", "report.html"):
        given += [f"--{name.split('.')[0]}", str(root / name)]
    with dying_in("_delete", 4):
        erasure.erase(loaded_place, found, purge=True)
    # The user's name is gone now: the posts are found by their keys.
    assert erasure.find_keys_of_user(loaded_place, NAME, "2016-03-01") == ()
    assert {canary for canary in CANARIES for _, text in texts(root) if canary in text} == set(CANARIES)
    for step, call, again in (("blank_file", 2, ()), ("_remove_bytes", 1, found)):
        with dying_in(step, call):
            erasure.erase(loaded_place, again, purge=True)
        assert keys(loaded_place) == {KEPT}
    # A purge that was killed in a table's VACUUM has left that table's time for old files at nothing.
    kept_for = "delta.deletedFileRetentionDuration"
    users = loaded_place.qualified("users")
    loaded_place.sql(f"ALTER TABLE {users} SET TBLPROPERTIES ('{kept_for}' = 'interval 0 hours')").collect()
    monkeypatch.setattr(erase_command, "open_session", lambda *_: nullcontext((loaded_place.spark, lambda _: None)))
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    assert local_cli.main(given) == 0
    out, err = capsys.readouterr()
    first, *receipt = out.splitlines()
    assert first == "0 posts, and 1 of earlier erasures"
    assert [line.split()[0] for line in receipt] == [
        *(f"pinterest.{place}" for place in would_go),
        "failed.jsonl",
        "report.html",
    ]
    assert [canary for canary in CANARIES for text in (out, err) if canary in text] == []
    assert "Deleted" not in err  # a line of Delta's for each VACUUM
    assert erasure.receipt_frame(loaded_place.spark, [erasure.ErasedRows("pins", 1, 2)]).collect() == [("pins", 1, 2)]
    assert keys(loaded_place) == {KEPT}
    for name in ("pins", "users", "top_user_by_country"):
        assert table_access.read_properties(loaded_place, name)[kept_for] == "interval 168 hours"
    assert [(file.name, canary) for file, text in texts(root) for canary in CANARIES if canary in text] == []
    assert loaded_place.stored("top_user_by_country").rows() == [("Peru", "kept", 1000)]
    assert loaded_place.spark.conf.get("spark.databricks.delta.retentionDurationCheck.enabled", "true") == "true"
    noted = loaded_place.stored("erased").select("kind", "ind").rows()
    assert sorted(noted) == [(entity.name, GONE) for entity in (GEO, PIN, USER)]

    # A late duplicate of everything is taken by a run, and by a rebuild.
    after = [loaded_place.rows(entity) for entity in ENTITIES]
    land(loaded_place, offset=50)
    loaded_place.take(GEO, USER)
    loaded_place.take(PIN, rebuild=True)
    assert [loaded_place.rows(entity) for entity in ENTITIES] == after
    assert keys(loaded_place) == {KEPT}
    # The compressed file has another size now, and is read once more.
    read = {GEO: 2, PIN: 2, USER: 1}
    counted = sorted(loaded_place.counted()[-3:], key=itemgetter("topic"))
    assert counted == [counts(read[e], 1, topic=loaded_place.settings.topic(e)) for e in (GEO, PIN, USER)]


def test_a_stream_does_not_bring_an_erased_post_back(make_streams: MakeStreams) -> None:
    place = make_streams(GEO)
    broken = f'{{"ind": "{GONE}.0", "latitude": 77.40253, "ind": 1e99}}'
    place.put(geo(3, "77401"), geo(GONE, "77401"), geo(KEPT, "kept"), broken)
    place.take()
    there = [name for name in erasure._record_tables(place.settings) if "pin" not in name and "user" not in name]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(erasure, "_record_tables", lambda _: there)
        patched.setattr(answer_tables, "refresh_answers", lambda *_: {})
        patched.setattr(erasure, "_KEYS_PER_STATEMENT", 1)
        receipt = erasure.erase(place, (3, GONE))
    deleted = {"abc_geo_table": 2, "quarantine": 1, "abc_raw_table": 3}
    assert [(one.place, one.rows, one.version) for one in receipt] == [
        (name, rows, last_commit(place, name).version) for name, rows in deleted.items()
    ]
    assert [json.loads(data)["ind"] for _, data in place.raw()] == [KEPT]
    place.put(geo(GONE, "77401"), broken, broken[:-1], geo(7, "new"))
    place.take()
    place.take(rebuild=True)
    assert place.countries() == {KEPT: "kept", 7: "new"}
    assert place.read_quarantine() == []


def test_an_erasure_waits_for_no_run(loaded_place: Place) -> None:
    bucket = loaded_place.with_settings(landing="s3://bucket")  # nothing is to be purged from it
    for entity in ENTITIES:
        with entity_lock(loaded_place.settings, entity), pytest.raises(BusyError):
            erasure.erase(bucket, (1,))


def test_a_landing_that_is_no_folder_is_refused_first(loaded_place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    before, bucket = loaded_place.content(), loaded_place.with_settings(landing="s3://bucket")
    with pytest.raises(LandingError) as error:
        erasure.erase(bucket, (KEPT,), purge=True)
    assert str(error.value) == "landing must be a folder that holds topics/, a volume or a mount, got 's3://bucket'"
    assert loaded_place.content() == before
    looked_for: list[str] = []
    monkeypatch.setattr(Path, "is_dir", lambda path: bool(looked_for.append(str(path))))
    with pytest.raises(LandingError):
        erasure.erase(loaded_place.with_settings(landing="/mnt/posts"), (KEPT,), purge=True)
    assert looked_for == ["/dbfs/mnt/posts/topics"]  # as a driver's own files have it


def test_a_landing_of_another_user_id_is_refused_first(loaded_place: Place) -> None:
    before, other = loaded_place.content(), loaded_place.with_settings(user_id="other1")
    for work in (lambda: erasure.count_rows(other, (KEPT,)), lambda: erasure.erase(other, (KEPT,), purge=True)):
        with pytest.raises(LandingError) as error:
            work()
        assert str(error.value) == (
            "landing must hold topics other1.pin, .geo or .user, got abc.geo, abc.pin, abc.user"
        )
    assert loaded_place.content() == before


def test_a_value_that_cannot_be_used_is_one_clear_line(loaded_place: Place) -> None:
    assert erasure.parse_keys(f"{2**63 - 1}, 7\n0007") == (7, 2**63 - 1)
    for work, said in (
        (lambda: erasure.parse_keys("1, x"), "ind must be whole numbers of 0 or more, got 'x'"),
        (lambda: erasure.parse_keys("٣"), "ind must be whole numbers of 0 or more, got '٣'"),
        (lambda: erasure.parse_keys("7" * 5000), f"ind must be whole numbers of 0 or more, got '{'7' * 5000}'"),
        (lambda: erasure.parse_keys(str(2**63)), f"ind must be whole numbers of 0 or more, got '{2**63}'"),
        (
            lambda: erasure.find_keys_of_user(loaded_place, "Some Body", "soon"),
            "date_joined must be a date or time such as 2016-03-01 or 2016-03-01T08:15:00",
        ),
        (
            lambda: erasure.find_keys_of_user(loaded_place, " ", "2016-03-01"),
            "user_name must be the user's first and last name, got none",
        ),
    ):
        with pytest.raises(SettingsError) as error:
            work()
        assert str(error.value) == said
