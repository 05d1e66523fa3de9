"""The harness on a landing of a few posts: children, checks, page."""

import os
from importlib import import_module
from pathlib import Path

import psutil
import pytest
from pyspark.sql import SparkSession

from benchmarks.__main__ import page
from benchmarks.batch import BatchTimes, check_facts
from benchmarks.children import BenchError, Usage, children
from benchmarks.incremental import ArrivalTimes
from benchmarks.landings import Landing, add_arrival, make_landing
from benchmarks.pages import ROOT, ratio, spread, verdict, write_page
from benchmarks.peers.variants import OURS, PLAIN, RAW, clear, facts, prepare, run
from pinterest_transforms.settings import Settings

POSTS = 300


@pytest.fixture(scope="module")
def landing(tmp_path_factory: pytest.TempPathFactory) -> Landing:
    return make_landing(POSTS, tmp_path_factory.mktemp("bench"))


def test_an_arrival_is_new_and_changed_rows_behind_the_history(landing: Landing, tmp_path: Path) -> None:
    assert make_landing(POSTS, landing.folder.parent) is landing
    expected = [add_arrival(POSTS, number, tmp_path) for number in range(2)]
    for entity in ("pin", "geo", "user"):
        lines = [
            line for file in tmp_path.glob(f"topics/*.{entity}/*/*.json") for line in file.read_bytes().splitlines()
        ]
        assert len(lines) == sum(right[entity]["read"] for right in expected)
        assert POSTS * 0.95 < expected[0][entity]["rows"] <= POSTS
        assert len(set(lines)) > 3 * POSTS * 0.95


def test_numbers_are_checked_before_a_time_counts(interpreted: SparkSession, landing: Landing, tmp_path: Path) -> None:
    found = {}
    for name in (RAW, PLAIN):
        source = landing.without_repeats() if name == PLAIN else landing.folder
        settings = Settings(landing=str(source), warehouse=str(tmp_path / name), schema=f"bench_{name}")
        prepare(interpreted, name, settings)
        assert run(interpreted, name, settings) > 0
        found[name] = facts(interpreted, name, settings)
        clear(interpreted, settings)
        assert not (tmp_path / name).exists()
    # The library's own run is long for a test of the harness.
    expected = landing.expected
    found[OURS] = {
        name: {**right, "merged": right["rows"], "already_there": right["read"] - right["rejected"] - right["rows"]}
        for name, right in expected.items()
    }
    check_facts(found, expected)
    assert all(right["rejected"] for right in expected.values())
    assert all(numbers["rows"] for numbers in found[PLAIN].values())
    found[RAW]["geo"]["rows"] = 1
    found[OURS]["pin"]["rejected"] = 0
    wrong = r"pin: ours: rejected must be \d+, got 0\npin: read must be .*\ngeo: raw: rows must be \d+, got 1"
    with pytest.raises(BenchError, match=wrong):
        check_facts(found, expected)


def test_the_batch_is_called_as_it_is_meant_to_be(interpreted: SparkSession, tmp_path: Path) -> None:
    tmp_path.joinpath("topics").mkdir()
    settings = Settings(landing=str(tmp_path), warehouse=str(tmp_path / "tables"), schema="bench_called")
    prepare(interpreted, OURS, settings)
    run(interpreted, OURS, settings)
    nothing = {"rows": 0, "digest": None, "read": 0, "merged": 0, "already_there": 0, "rejected": 0}
    assert facts(interpreted, OURS, settings) == dict.fromkeys(("pin", "geo", "user"), nothing)
    clear(interpreted, settings)
    assert not (tmp_path / "tables").exists()


@pytest.mark.java
def test_a_child_is_measured_and_ctrl_c_leaves_no_process(landing: Landing, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), children([RAW], tmp_path) as made:  # noqa: PT012
        child = made[RAW]
        usage = child.measure_run(child.fresh_target(landing.folder))
        pids = [process.pid for process in child.tree()]
        with pytest.raises(BenchError, match="PATH_NOT_FOUND"):
            child.measure_run(child.fresh_target(tmp_path / "nowhere"))
        raise KeyboardInterrupt
    assert usage.wall > 0
    assert usage.cpu > 0
    assert usage.peak > 10_000_000
    assert len(pids) > 1
    assert not any(map(psutil.pid_exists, pids))


def test_numbers() -> None:
    assert ratio([2.0, 9.0, 4.0], [1.0, 3.0, 4.0]) == spread([2.0, 3.0, 1.0])
    assert spread([1.0, 4.0, 2.0]).text(" s", 1) == "2.0 s [1.0–4.0]"
    assert (verdict(2.0, 2.5), verdict(3.0, 2.5)) == ("at most 2.5: met, 20% below", "at most 2.5: missed by 20%")


def runs(seconds: float) -> list[Usage]:
    return [Usage(seconds, 1.0, 2**30, 0.0)] * 5


def test_the_page_has_ratios_before_tables_and_names_no_machine(tmp_path: Path) -> None:
    batch = BatchTimes(1_000_000, {OURS: {}}, {OURS: runs(3), RAW: runs(1), PLAIN: runs(2)}, {"Spark": "4"})
    arrivals = [ArrivalTimes(10_000, 1.0, runs(1)), ArrivalTimes(1_000_000, 9.0, runs(1.2))]
    file = tmp_path / "results.md"
    assert write_page(file, "What the batch costs", 5, lambda _: page([batch], arrivals)) == 0
    text = file.read_text(encoding="utf-8")
    assert text.startswith("# What the batch costs\n\nMeasured on 20")
    assert "**3.00 [3.00–3.00]**" in text
    assert "**1.50 [1.50–1.50]** | 1.00 [1.00–1.00] | at most 1.1: missed by 36%" in text
    assert "one on 10,000 | **1.20 [1.20–1.20]** | at most 1.3: met, 8% below" in text
    assert "(b) over all 1,000,000 | **0.60 [0.60–0.60]** | at most 0.333: missed by 80%" in text
    assert text.index("## Ratios") < text.index("## The whole batch") < text.index("## Machine")
    assert str(ROOT) not in text
    assert os.uname().nodename not in text.split()


def test_a_benchmark_that_fails_writes_no_page(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    def fail(work: Path) -> list[str]:
        assert work.is_dir()
        raise BenchError("no")

    assert write_page(tmp_path / "results.md", "", 1, fail) == 1
    assert capsys.readouterr() == ("", "no\n")
    assert list(tmp_path.iterdir()) == []


def test_the_page_of_ten_million_compares_the_time_of_a_million() -> None:
    def batch(posts: int, wall: float) -> BatchTimes:
        return BatchTimes(posts, {OURS: {}}, {OURS: runs(wall)})

    assert "per post | **1.10** | – | at most 1.2: met, 8% below |" in "\n".join(
        page([batch(1_000_000, 50.0), batch(10_000_000, 550.0)], [])
    )
    assert "missed by 25%" in "\n".join(page([batch(1_000_000, 50.0), batch(10_000_000, 750.0)], []))


def test_every_benchmark_can_be_started() -> None:
    for file in sorted((ROOT / "benchmarks").glob("*.py")):
        if file.stem not in ("__init__", "__main__"):
            import_module(f"benchmarks.{file.stem}")
