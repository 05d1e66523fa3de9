"""Landing, again and again: any order, twice, rewritten, late, too large; and whose checkpoint it is."""

import gzip
import json
import random
import shutil
from pathlib import Path

import pytest

from pinterest_transforms.errors import CheckpointError, LandingError
from pinterest_transforms.ingest import landing, landing_batches, landing_reader
from pinterest_transforms.settings import Leg, Settings
from tests.support.log_lines import log_lines
from tests.support.table_places import YEAR, Place, counts, pin, set_up_only, write


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


def find_latest_titles(files: dict[tuple[int, int], list]) -> dict[int, str]:
    """The contract's rule, in plain Python: the title of each key's latest position."""
    lines = [line for place in sorted(files) for line in files[place]]
    return {line["index"]: line["title"] for line in lines if isinstance(line, dict)}


def raws(place: Place) -> list[object]:
    return sorted(row[4] for row in place.read_quarantine())


def test_any_order_any_batch_size_and_twice_give_equal_tables(place: Place):
    files = topic_lines(seed=1)
    wanted = find_latest_titles(files)
    rubbish = sorted(line for lines in files.values() for line in lines if isinstance(line, str))
    chance = random.Random(2)
    for (partition, start), lines in files.items():
        for offset in (start, start + 1000):  # twice
            place.put(offset, *lines, partition=partition, age=chance.randrange(9 * YEAR))
    place.with_settings(max_files_per_batch=7).take()
    assert place.titles() == wanted
    lines = [line for where in sorted(files) for line in files[where]]
    at = {
        line["index"]: (str(number // 30), 1000 + number % 30) for number, line in enumerate(lines) if "index" in line
    }
    assert place.sources() == at
    assert raws(place) == sorted(rubbish * 2)  # at another offset it is another record
    first, second = place.counted()
    assert (first["read"] + second["read"], first["rejected"] + second["rejected"]) == (120, 12)
    assert first["merged"] > 0 < second["merged"]


def test_files_that_are_late_or_gone_for_a_moment_or_rewritten_or_passed_over_by_spark(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Empty when first seen, gone while they are taken, dated far ahead, behind a link to a folder, being written."""
    place.put(0, pin(1, "a"), pin(2, "a"))
    half = '{"index": 6, "ti'
    place.put(100, pin(3, "a"), half)  # it is being written
    empty, moment = place.put(300), place.put(310, pin(12, "a"))
    real = tmp_path / "real"
    write(real / "abc.pin+1+0000000000.json", pin(13, "a"))
    (empty.parent.parent / "partition=1").symlink_to(real)
    place.put(320, pin(14, "a"), age=-200 * YEAR)
    aside, process_files, raw_records = tmp_path / "aside", landing_batches.process_files, landing_reader.raw_records

    def while_it_is_read(*given):
        frame = raw_records(*given)
        moment.rename(aside)
        return frame

    def without_it(*given):
        if moment.exists():
            moment.rename(aside)
        return process_files(*given)

    with monkeypatch.context() as patched:
        patched.setattr(landing_reader, "raw_records", while_it_is_read)
        with pytest.raises(LandingError) as error:
            place.take()
    said = f"a landing file must be readable to its end, got file://{moment}: run again, or land it again"
    assert str(error.value) == said
    aside.rename(moment)
    with monkeypatch.context() as patched:
        patched.setattr(landing_batches, "process_files", without_it)
        place.take()
    assert place.titles() == dict.fromkeys((1, 2, 3, 13, 14), "a")
    assert raws(place) == [half]

    place.put(0, pin(1, "a"), pin(2, "a"))  # again, the same content
    place.put(50, pin(3, "earlier"), pin(2, "later"), pin(4, "new"), age=YEAR)
    place.put(200, pin(1, "a"))  # equal values, a later position
    place.put(100, pin(3, "a"), pin(6, "whole"), pin(5, "grown"))
    place.put(300, pin(11, "filled"))
    aside.rename(moment)
    write(real / "abc.pin+1+0000000000.json", pin(13, "a"), pin(16, "grown"))
    place.put(400, pin(17, "dated now"))
    place.take()
    titles = {1: "a", 2: "later", 3: "a", 4: "new", 5: "grown", 6: "whole", 11: "filled", 12: "a", 13: "a", 14: "a"}
    titles |= {16: "grown", 17: "dated now"}
    assert place.titles() == titles
    sources = {1: ("0", 200), 2: ("0", 51), 3: ("0", 100), 4: ("0", 52), 5: ("0", 102), 6: ("0", 101), 16: ("1", 1)}
    assert sources.items() <= place.sources().items()
    assert place.counted()[1:] == [counts(14, 9)]
    assert raws(place) == [half]  # what was read once stays noted

    before = place.content()
    place.take()
    assert place.content() == before


def test_other_content_at_a_place_is_told_and_a_rebuild_leaves_nothing_of_an_earlier_topic(place: Place):
    def take(*, rebuild: bool = False) -> list[str]:
        with log_lines() as said:
            place.take(rebuild=rebuild)
        return [line.partition(" stand at ")[0] for line in said if " stand at " in line]

    first = [pin(1, "a"), pin(2, "b"), "rubbish", pin(4, "d", follower_count="lots"), pin(5, "e")]
    files = [place.put(0, *first), place.put(100, pin(9, "of the old topic"), "old rubbish")]
    assert take() == []
    place.put(100, pin(9, "of the old topic"), "old rubbish")  # taken again, and equal
    before = files[0].stat()
    place.put(0, pin(1, "A"), first[1], "RUBBISH", pin(4, "d", follower_count="less"), "[" + "]" * 25)
    assert files[0].stat().st_size == before.st_size
    assert take() == ["abc.pin: 4 records"]
    assert place.titles() == {1: "a", 2: "b", 4: "d", 5: "e", 9: "of the old topic"}
    assert take() == ["abc.pin: 4 records"]  # until it is put right

    for file in files:
        file.unlink()
    place.put(0, pin(7, "new"), pin(2, "b"), age=-10)
    assert take(rebuild=True) == []
    assert (place.titles(), place.read_quarantine()) == ({7: "new", 2: "b"}, [])


def test_an_empty_topic_then_a_file_too_large_then_other_tables_then_what_is_right(place: Place, tmp_path: Path):
    with log_lines() as said:
        place.take()
    assert said == ["abc.pin: nothing has arrived yet"]
    Path(place.settings.landing, "topics", "abc.pin", "partition=0").mkdir(parents=True)
    place.take()

    place.put(0, pin(1, "small"), "rubbish")
    large = place.put(100, pin(2, "x" * 500))
    small = place.with_settings(max_file_bytes=100)
    torn = place.put(200, pin(3, "torn"))
    torn = torn.rename(f"{torn}.gz")
    said = (
        f"a landing file must have at most 100 bytes, got {large.stat().st_size} in {large}: split it; "
        f"a landing file named .gz must be whole gzip, got {torn}: land it again"
    )
    with pytest.raises(LandingError) as error:
        small.take()
    assert str(error.value) == f"{said}; the other files were taken"
    assert (place.titles(), raws(place), place.counted()) == ({1: "small"}, ["rubbish"], [counts(2, 1, rejected=1)])

    # A checkpoint belongs to its landing and its tables.
    elsewhere = place.with_settings(landing=str(tmp_path))
    write(tmp_path / "topics/abc.pin/partition=0/abc.pin+0+0000000000.json", pin(9, "elsewhere"))
    with pytest.raises(CheckpointError, match=r"source must be .*, got .*; nothing was read; run again with --rebuild"):
        elsewhere.take()
    place.spark.sql(f"DROP TABLE {place.settings.qualified('pins')}")
    shutil.rmtree(place.settings.table_folder("pins"))
    set_up_only(place, "pins")
    with pytest.raises(CheckpointError, match=r"belongs to other data: table pins must be id .*, got id "):
        place.take()
    assert place.rows() == {}

    with pytest.raises(LandingError) as error:
        small.take(rebuild=True)
    assert str(error.value) == f"{said}; nothing was read"
    assert (raws(place), place.counted()) == (["rubbish"], [counts(2, 1, rejected=1)])
    large.unlink()
    torn.write_bytes(gzip.compress(json.dumps(pin(3, "whole")).encode()))
    small.take()  # goes on with the rebuild
    assert (place.titles(), raws(place)) == ({1: "small", 3: "whole"}, ["rubbish"])
    assert place.sources()[3] == ("0", 200)
    assert place.counted() == [counts(2, 1, rejected=1), counts(3, 2, rejected=1)]


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
        landing.check_landing(Leg(spark, settings))
    assert str(error.value) == message.format(landing=folder)
