"""Landing, again and again: any order, twice, rewritten, late, too large; and whose checkpoint it is."""

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from storage_places import YEAR, Place, counts, pin, write

from pinterest_transforms.entities import GEO, PIN
from pinterest_transforms.errors import CheckpointError, LandingError
from pinterest_transforms.settings import Settings
from pinterest_transforms.storage import landing, merging, tables


def topic_lines(seed: int) -> dict[tuple[int, int], list]:
    """Lines of six files, by partition and start offset: many versions of few keys, rubbish among them."""
    chance = random.Random(seed)
    files = {}
    for partition in (0, 1):
        for start in (0, 10, 20):
            keys = [2 * chance.randrange(8) + partition for _ in range(10)]
            lines = [pin(key, f"{key} at {start + number}") for number, key in enumerate(keys)]
            lines[chance.randrange(10)] = f"rubbish {partition} {start}"
            files[partition, start] = lines
    return files


def newest(files: dict[tuple[int, int], list]) -> dict[int, str]:
    """The contract's rule, in plain Python: the title of each key's latest position."""
    lines = [line for place in sorted(files) for line in files[place]]
    return {line["index"]: line["title"] for line in lines if isinstance(line, dict)}


def raws(place: Place) -> list[object]:
    return sorted(row[4] for row in place.noted())


def test_any_order_any_batch_size_and_twice_give_equal_tables(place: Place, monkeypatch: pytest.MonkeyPatch):
    files = topic_lines(seed=1)
    wanted = newest(files)
    rubbish = sorted(line for lines in files.values() for line in lines if isinstance(line, str))
    chance = random.Random(2)
    for (partition, start), lines in files.items():
        place.put(start, *lines, partition=partition, age=chance.randrange(9 * YEAR))

    place.with_settings(max_files_per_batch=2).take()
    assert place.titles() == wanted
    assert raws(place) == rubbish
    assert sum(row["read"] for row in place.counted()) == 60
    assert len(place.counted()) == 3
    first = place.sources()

    for (partition, start), lines in files.items():
        place.put(start + 1000, *lines, partition=partition, age=chance.randrange(9 * YEAR))
    place.take()
    assert place.titles() == wanted
    assert raws(place) == sorted(rubbish * 2)  # at another offset it is another record
    assert place.sources() == {key: (shard, position + 1000) for key, (shard, position) in first.items()}
    assert place.counted()[3:] == [counts(60, len(wanted), rejected=6)]

    # The checkpoint is gone: every file is read again, and no key is few enough to be sent to every task.
    monkeypatch.setattr(merging, "_FEW", 0, raising=False)
    noted, sources = place.noted(), place.sources()
    shutil.rmtree(place.settings.checkpoint(PIN))
    place.take()
    assert place.titles() == wanted
    assert (place.noted(), place.sources()) == (noted, sources)
    assert place.counted()[4:] == [counts(120, 0, rejected=12)]


def test_files_that_are_late_or_rewritten(place: Place):
    place.put(0, pin(1, "a"), pin(2, "a"))
    place.put(100, pin(3, "a"))
    place.take()

    place.put(0, pin(1, "a"), pin(2, "a"))  # again, the same content
    place.put(50, pin(3, "earlier"), pin(2, "later"), pin(4, "new"), age=YEAR)
    place.put(200, pin(1, "a"))  # equal values, a later position
    place.take()
    assert place.titles() == {1: "a", 2: "later", 3: "a", 4: "new"}
    assert place.sources() == {1: ("0", 200), 2: ("0", 51), 3: ("0", 100), 4: ("0", 52)}
    assert place.counted()[1:] == [counts(4, 3)]

    half = '{"index": 6, "ti'
    place.put(100, pin(3, "a"), pin(5, "grown"), half)  # it is being written
    place.take()
    assert place.titles()[5] == "grown"
    assert place.counted()[2:] == [counts(3, 1, rejected=1)]

    place.put(100, pin(3, "a"), pin(5, "grown"), pin(6, "whole"))
    place.take()
    assert place.titles() == {1: "a", 2: "later", 3: "a", 4: "new", 5: "grown", 6: "whole"}
    assert raws(place) == [half]
    assert place.counted()[3:] == [counts(3, 1)]

    before = place.content()
    place.take()
    assert place.content() == before


def test_files_that_spark_passes_over_are_taken(place: Place, tmp_path: Path):
    """Empty when first seen, gone for a moment, dated far ahead, behind a link to a folder."""
    empty = place.put(0)
    place.put(10, pin(1, "a"))
    moment = place.put(20, pin(2, "a"))
    real = tmp_path / "real"
    write(real / "abc.pin+1+0000000000.json", pin(3, "a"))
    (empty.parent.parent / "partition=1").symlink_to(real)
    moment.rename(tmp_path / "aside")
    place.put(30, pin(4, "a"), age=-200 * YEAR)
    place.take()
    assert place.titles() == {1: "a", 3: "a", 4: "a"}

    place.put(0, pin(5, "filled"))
    (tmp_path / "aside").rename(moment)
    write(real / "abc.pin+1+0000000000.json", pin(3, "a"), pin(6, "grown"))
    place.put(40, pin(7, "dated now"))
    place.take()
    assert place.titles() == {1: "a", 2: "a", 3: "a", 4: "a", 5: "filled", 6: "grown", 7: "dated now"}

    before = place.content()
    place.take()
    assert place.content() == before


def test_a_file_that_is_gone_while_it_is_taken_is_taken_when_it_is_back(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    moment, aside, take_files = place.put(0, pin(1, "a")), tmp_path / "aside", landing._take_files
    place.put(10, pin(2, "a"))

    def without_it(*given):
        moment.rename(aside)
        take_files(*given)

    with monkeypatch.context() as patched:
        patched.setattr(landing, "_take_files", without_it)
        place.take()
    assert place.titles() == {2: "a"}
    aside.rename(moment)
    place.take()
    assert place.titles() == {1: "a", 2: "a"}
    assert place.counted() == [counts(1, 1), counts(1, 1)]


def test_a_file_name_that_spark_cannot_read_is_told(place: Place):
    file = place.put(0, pin(1, "a"))
    odd = file.rename(file.with_name("a:b.json"))
    with pytest.raises(LandingError) as error:
        place.take()
    assert str(error.value) == f"a landing file's name must have no colon, which Spark cannot read, got file:{odd}"


def test_an_empty_topic_then_a_file_too_large_then_what_is_right(place: Place):
    said: list[str] = []
    landing.take_landing(place.spark, place.settings, GEO, "run", say=said.append)
    assert said == ["abc.geo: nothing has arrived yet"]
    Path(place.settings.landing, "topics", "abc.pin", "partition=0").mkdir(parents=True)
    place.take()

    place.put(0, pin(1, "small"))
    large = place.put(100, pin(2, "x" * 500))
    small = place.with_settings(max_file_bytes=100)
    with pytest.raises(LandingError) as error:
        small.take()
    size = large.stat().st_size
    assert str(error.value) == f"a landing file must have at most 100 bytes, got {size} in file:{large}: split it"
    assert (place.rows(), place.noted(), place.counted()) == ({}, [], [])

    large.unlink()
    small.take()
    assert place.titles() == {1: "small"}
    assert place.counted() == [counts(1, 1)]


def test_checkpoints_belong_to_their_tables_and_landing(place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    place.put(0, pin(1, "a"), "rubbish")
    place.take()

    elsewhere = place.with_settings(landing=str(tmp_path))
    write(tmp_path / "topics/abc.pin/partition=0/abc.pin+0+0000000000.json", pin(9, "elsewhere"))
    with pytest.raises(CheckpointError, match=r"source must be .*, got .*; nothing was read; run again with --rebuild"):
        elsewhere.take()

    place.spark.sql(f"DROP TABLE {place.settings.qualified('pins')}")
    shutil.rmtree(place.settings.table_folder("pins"))
    monkeypatch.setattr(tables, "answer_specs", list)
    tables.set_up(place.spark, place.settings)
    with pytest.raises(CheckpointError, match=r"belongs to other data: table pins must be id .*, got id "):
        place.take()
    assert place.rows() == {}

    place.take(rebuild=True)
    assert place.titles() == {1: "a"}
    assert raws(place) == ["rubbish"]
    assert place.counted() == [counts(2, 1, rejected=1)] * 2


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("", None, "landing must be a folder that holds topics/, got ''"),
        ("nowhere", None, "landing must be a folder that holds topics/, got '{landing}'"),
        ("file", "file", "landing must be a folder that holds topics/, got '{landing}'"),
        ("none", "topics/", "landing must hold topics abc.pin, .geo or .user, got no files"),
        ("other", "topics/xyz.pin/partition=0/xyz.pin+0+0000000000.json", "landing must hold topics abc.pin, .geo or "
         ".user, got xyz.pin"),
    ],
)  # fmt: skip
def test_a_landing_that_is_none_is_refused(spark, tmp_path: Path, name: str, content: str | None, message: str):
    folder = str(tmp_path / name) if name else ""
    if content == "file":
        Path(folder).write_text("")
    elif content == "topics/":
        Path(folder, content).mkdir(parents=True)
    elif content:
        write(Path(folder, content), pin(1))
    settings = Settings(user_id="abc", landing=folder, warehouse=str(tmp_path / "w"))
    with pytest.raises(LandingError) as error:
        landing.check_landing(spark, settings)
    assert str(error.value) == message.format(landing=folder)


def test_a_landing_of_the_user_is_what_it_is(place: Place):
    place.put(0, pin(1))
    assert landing.check_landing(place.spark, place.settings) == place.settings.landing


def test_files_are_named_by_what_the_sink_calls_them(make_place: Callable[..., Place]):
    """A landing inside a folder that looks like one: the last `topics/` counts."""
    place = make_place("topics/abc.pin")
    place.put(7, pin(1, "a"))
    place.take()
    (row,) = place.table("pins").select("_source.*").collect()
    assert (row["origin"], row["shard"], int(row["position"]), len(row["position"])) == ("abc.pin", "0", 7, 130)
    assert row["file"] == "topics/abc.pin/partition=0/abc.pin+0+0000000007.json"
