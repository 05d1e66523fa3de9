"""The state stored beside a checkpoint, without Spark: whose checkpoint it is, and kills between its steps."""

import json
import shutil
from pathlib import Path

import pytest

from pinterest_transforms.errors import CheckpointError
from pinterest_transforms.ingest import checkpoint_state
from pinterest_transforms.ingest.checkpoint_state import INGESTED_FILES, CheckpointState, open_state

IDS = {"pins": "1", "quarantine": "2", "runs": "3"}
AFTER = "; nothing was read; run again with --rebuild to clean everything again"


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    return tmp_path / "batch" / "pin"


def begin(checkpoint: Path) -> None:
    """What Spark does when a query starts."""
    checkpoint.mkdir(parents=True)
    (checkpoint / "metadata").write_text("{}")


def opened(
    checkpoint: Path, source: str = "/landing", ids: dict[str, str] = IDS, *, rebuild: bool = False
) -> CheckpointState:
    return open_state(str(checkpoint), source, ids, reset=rebuild, rebuild=rebuild)


@pytest.mark.parametrize("file", ["metadata", INGESTED_FILES])
def test_a_state_is_the_same_one_when_opened_again(checkpoint: Path, file: str):
    """Whether a query of Spark's has run with the checkpoint, or a landing was listed."""
    first = opened(checkpoint)
    begin(checkpoint)
    (checkpoint / "metadata").rename(checkpoint / file)
    first.last_offsets["a"] = 7
    first.before = {"0": 3}
    first.save()
    assert opened(checkpoint) == first
    assert [path.name for path in checkpoint.parent.glob("*.json*")] == ["pin.json"]


def test_a_new_checkpoint_is_a_new_life(checkpoint: Path):
    first = opened(checkpoint)
    begin(checkpoint)
    first.last_offsets["a"] = 7
    first.save()
    shutil.rmtree(checkpoint)
    second = opened(checkpoint)
    assert second.query_id != first.query_id
    assert (second.last_offsets, second.rebuild) == ({}, False)


def test_a_checkpoint_knows_the_order_of_those_before_it(checkpoint: Path):
    """An undo must know which checkpoint read a file first, whatever the clock said."""
    queries = []
    for batches in ({"0": 4}, {}, {"7": 9}):
        state = opened(checkpoint, rebuild=True)
        state.before = batches
        state.save()
        queries += [state.query_id] if batches else []  # one without a micro-batch has read nothing
    begin(checkpoint)
    state = opened(checkpoint, rebuild=True)
    assert (state.earlier_queries, len({*queries, state.query_id})) == (queries, 3)
    Path(f"{checkpoint}.json").write_text("torn")
    assert opened(checkpoint, rebuild=True).earlier_queries == []


def test_a_checkpoint_of_another_table_is_refused(checkpoint: Path):
    opened(checkpoint)
    begin(checkpoint)
    for name, known in (("pins", "1"), ("a table it does not know", "None")):
        with pytest.raises(CheckpointError) as error:
            opened(checkpoint, ids={**IDS, name: "9"})
        wanted = f"checkpoint {checkpoint} belongs to other data: table {name} must be id {known}, got id 9{AFTER}"
        assert str(error.value) == wanted


def test_a_checkpoint_of_another_landing_is_refused(checkpoint: Path):
    opened(checkpoint)
    begin(checkpoint)
    with pytest.raises(CheckpointError) as error:
        opened(checkpoint, "/other")
    assert str(error.value) == (
        f"checkpoint {checkpoint} belongs to other data: source must be /landing, got /other{AFTER}"
        "; use another warehouse or schema for a source that has not replaced that one"
    )


def test_a_checkpoint_that_lost_its_state_is_refused(checkpoint: Path):
    begin(checkpoint)
    with pytest.raises(CheckpointError) as error:
        opened(checkpoint)
    assert str(error.value) == (
        f"checkpoint {checkpoint} belongs to other data: its identity file must be beside it, got none{AFTER}"
    )


def test_a_checkpoint_with_a_torn_file_of_spark_s_is_refused_with_a_remedy_for_that(checkpoint: Path):
    opened(checkpoint)
    begin(checkpoint)
    (checkpoint / "metadata").write_text("")
    with pytest.raises(CheckpointError) as error:
        open_state(str(checkpoint), "/landing", IDS, reset=False, remedy_for_torn_files="do this")
    assert "metadata must be as Spark wrote it, got an empty file" in str(error.value)
    assert str(error.value).endswith("; do this")
    assert opened(checkpoint, rebuild=True).rebuild


@pytest.mark.parametrize("content", ["", "{", "[1]", '{"query_id": "x", "colour": 1}', '"text"'])
def test_a_corrupted_state_is_refused_and_a_rebuild_gets_over_it(checkpoint: Path, content: str):
    first = opened(checkpoint)
    begin(checkpoint)
    Path(first.path).write_text(content)
    with pytest.raises(CheckpointError) as error:
        opened(checkpoint)
    assert str(error.value).startswith(f"{first.path} must be a checkpoint's identity as JSON, got ")
    assert str(error.value).endswith("; run --rebuild, for a stream new_checkpoint")
    again = opened(checkpoint, rebuild=True)
    assert again.rebuild
    assert not checkpoint.exists()


def test_a_rebuild_begins_a_new_life_whatever_stood_there(checkpoint: Path):
    first = opened(checkpoint)
    begin(checkpoint)
    second = opened(checkpoint, "/other", {**IDS, "runs": "9"}, rebuild=True)
    assert second.rebuild
    assert second.query_id != first.query_id
    assert not checkpoint.exists()


def test_a_rebuild_that_was_killed_goes_on_without_being_asked(checkpoint: Path):
    opened(checkpoint)
    begin(checkpoint)
    opened(checkpoint, rebuild=True)
    assert opened(checkpoint).rebuild


@pytest.mark.parametrize("removed", ["nothing", "half"])
def test_a_rebuild_killed_before_the_old_checkpoint_was_gone_goes_on(
    checkpoint: Path, removed: str, monkeypatch: pytest.MonkeyPatch
):
    opened(checkpoint)
    begin(checkpoint)
    (checkpoint / "offsets").mkdir()

    def killed(folder: str, **_: object) -> None:
        if removed == "half":
            (Path(folder) / "offsets").rmdir()
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(checkpoint_state.shutil, "rmtree", killed)
        with pytest.raises(KeyboardInterrupt):
            opened(checkpoint, rebuild=True)
    after = opened(checkpoint)
    assert after.rebuild
    assert not checkpoint.exists()


def test_a_kill_while_a_state_is_saved_leaves_the_old_one(checkpoint: Path, monkeypatch: pytest.MonkeyPatch):
    first = opened(checkpoint)
    begin(checkpoint)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(checkpoint_state.os, "fsync", killed)
        first.last_offsets["a"] = 7
        with pytest.raises(KeyboardInterrupt):
            first.save()
    assert opened(checkpoint).last_offsets == {}


def test_a_state_of_an_older_library_is_understood(checkpoint: Path):
    first = opened(checkpoint)
    begin(checkpoint)
    content = json.loads(Path(first.path).read_text())
    del content["previous_removed"]
    Path(first.path).write_text(json.dumps(content))
    assert opened(checkpoint).query_id == first.query_id


def test_a_reload_takes_over_what_another_process_saved(checkpoint: Path):
    here = opened(checkpoint)
    begin(checkpoint)
    there = opened(checkpoint)
    there.last_offsets["a"] = 7
    there.save()
    here.reload()
    assert here.last_offsets == {"a": 7}
