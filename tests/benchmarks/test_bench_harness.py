"""The harness on a landing of a few posts: children, checks, page."""

import os
from importlib import import_module
from pathlib import Path

import psutil
import pytest
from pyspark.sql import SparkSession

from benchmarks.batch import BatchTimes
from benchmarks.harness.checks import check_facts
from benchmarks.harness.children import BenchError, Usage, children
from benchmarks.incremental import ArrivalTimes
from benchmarks.landings import ROOT, Landing, landing_of
from benchmarks.large import large_page
from benchmarks.numbers import ratio, spread, verdict
from benchmarks.peers.variants import MAKERS, OURS, PLAIN, RAW
from benchmarks.report import page
from pinterest_transforms.settings import Settings

POSTS = 300


def silent(text: str) -> None:
    """Says nothing."""


@pytest.fixture(scope="module")
def landing(tmp_path_factory: pytest.TempPathFactory) -> Landing:
    return landing_of(POSTS, tmp_path_factory.mktemp("bench"), silent)


def test_a_landing_is_made_once(landing: Landing) -> None:
    before = {file: file.stat().st_mtime_ns for file in landing.folder.rglob("*.json")}
    again = landing_of(POSTS, landing.folder.parent, silent)
    assert {file: file.stat().st_mtime_ns for file in again.folder.rglob("*.json")} == before
    assert {file.parts[len(landing.folder.parts)] for file in before} == {
        "topics",
        "plain",
        "arrivals",
        "expected.json",
    }


def test_numbers_are_checked_before_a_time_counts(interpreted: SparkSession, landing: Landing, tmp_path: Path) -> None:
    facts = {}
    for name in (RAW, PLAIN):
        variant = MAKERS[name](interpreted)
        source = landing.settings() if name != PLAIN else Landing(landing.without_repeats(), POSTS).settings()
        variant.prepare("here", source, tmp_path / name)
        variant.run("here")
        facts[name] = variant.facts("here")
        variant.clear("here")
        assert not (tmp_path / name).exists()
    # The library's own run is long for a test of the harness.
    expected = landing.expected()
    facts[OURS] = {
        name: {**right, "merged": right["rows"], "already_there": right["read"] - right["rejected"] - right["rows"]}
        for name, right in expected.items()
    }
    check_facts(facts, expected)
    assert all(right["rejected"] for right in expected.values())
    assert all(numbers["rows"] for numbers in facts[PLAIN].values())
    facts[RAW]["geo"]["rows"] = 1
    facts[OURS]["pin"]["rejected"] = 0
    wrong = r"pin: ours: rejected must be \d+, got 0\npin: read must be .*\ngeo: raw: rows must be \d+, got 1"
    with pytest.raises(BenchError, match=wrong):
        check_facts(facts, expected)


def test_the_batch_is_called_as_it_is_meant_to_be(interpreted: SparkSession, tmp_path: Path) -> None:
    variant = MAKERS[OURS](interpreted)
    tmp_path.joinpath("topics").mkdir()
    variant.prepare("here", Settings(landing=str(tmp_path)), tmp_path / "tables")
    variant.run("here")
    nothing = {"rows": 0, "digest": None, "read": 0, "merged": 0, "already_there": 0, "rejected": 0}
    assert variant.facts("here") == dict.fromkeys(("pin", "geo", "user"), nothing)
    variant.clear("here")
    assert not (tmp_path / "tables").exists()


@pytest.mark.java
def test_a_child_is_measured_and_ctrl_c_leaves_no_process(landing: Landing, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), children([RAW], tmp_path) as made:  # noqa: PT012
        child = made[RAW]
        child.ask("prepare", place="here", landing=str(landing.folder), folder=str(child.fresh_folder()))
        usage = child.measured("here")
        pids = [process.pid for process in child.tree()]
        with pytest.raises(BenchError, match="raw: run failed"):
            child.ask("run", place="nowhere")
        raise KeyboardInterrupt
    assert usage.wall > 0
    assert usage.cpu > 0
    assert usage.peak > 10_000_000
    assert len(pids) > 1
    assert not any(map(psutil.pid_exists, pids))


def test_numbers() -> None:
    assert ratio([2.0, 9.0, 4.0], [1.0, 3.0, 4.0]) == spread([2.0, 3.0, 1.0])
    assert spread([1.0, 4.0, 2.0]).text(" s", 1) == "2.0 s [1.0–4.0]"
    assert (verdict(2.0, 2.5), verdict(3.0, 2.5)) == ("met, 20% below", "missed by 20%")


def test_the_page_has_ratios_before_tables_and_names_no_machine() -> None:
    def runs(seconds: float) -> list[Usage]:
        return [Usage(seconds, 1.0, 2**30, 0.0)] * 5

    batch = BatchTimes(1_000_000, {OURS: {}}, {OURS: runs(3), RAW: runs(1), PLAIN: runs(2)}, {"Spark": "4"})
    arrivals = [ArrivalTimes(10_000, 1.0, runs(1)), ArrivalTimes(1_000_000, 9.0, runs(1.2))]
    text = page([batch], arrivals, 5, complete=True)
    assert "**3.00 [3.00–3.00]**" in text
    assert "**1.50 [1.50–1.50]** | 1.00 [1.00–1.00] | at most 1.1: missed by 36%" in text
    assert "one on 10,000 | **1.20 [1.20–1.20]** | at most 1.3: met, 8% below" in text
    assert "(b) over all 1,000,000 | **0.60 [0.60–0.60]** | at most 0.33: missed by 80%" in text
    assert text.index("## Ratios") < text.index("## The whole batch") < text.index("## Machine")
    assert str(ROOT) not in text
    assert os.uname().nodename not in text.split()


def test_the_page_of_ten_million_compares_the_time_of_a_million() -> None:
    def runs(wall: float) -> list[Usage]:
        return [Usage(wall=wall, cpu=1.0, peak=2**30, elsewhere=0.0)]

    page_text = large_page({1_000_000: runs(50.0), 10_000_000: runs(550.0)}, {})
    assert "Time per million grew 1.10 times; bar at most 1.2: met, 8% below." in page_text
    assert "missed by 25%" in large_page({1_000_000: runs(50.0), 10_000_000: runs(750.0)}, {})


def test_every_benchmark_can_be_started() -> None:
    for file in sorted((ROOT / "benchmarks").rglob("*.py")):
        if file.stem not in ("__init__", "__main__"):
            import_module(".".join(file.relative_to(ROOT).with_suffix("").parts))
