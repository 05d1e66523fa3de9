"""``python -m local undo``: which leg it asks, and what it prints; the library's part is faked here."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from local.cli import undo_command
from local.cli.step_progress import StepProgress
from pinterest_transforms.errors import UndoError
from pinterest_transforms.operations.undo import UndoneTopic
from pinterest_transforms.settings import Leg
from tests.local.conftest import Call


class Rows(list[str]):
    """Rows of a frame."""

    def head(self, count: int) -> list[str]:
        return self[:count]


@pytest.fixture(autouse=True)
def _library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A warehouse of both legs: a run in each, and one that cannot be undone."""
    for schema in ("pinterest", "pinterest_stream"):
        (tmp_path / "w" / schema).mkdir(parents=True)
    legs = {"batch": ["b", "gone"], "stream": ["s"]}

    @contextmanager
    def session(_: Path) -> Iterator[tuple[None, StepProgress]]:
        with StepProgress() as steps:
            yield None, steps

    def undo_run(leg: Leg, _all: object, run_id: str, *, allow_losses: bool) -> list[object]:
        if run_id == "gone" and not allow_losses:
            raise UndoError("run gone: a file is gone")
        settings = leg.settings
        return [UndoneTopic(f"{settings.leg}.pin", 1200, 1000), UndoneTopic(f"{settings.landing[-3:]}.user", 2, 0)]

    monkeypatch.setattr(undo_command, "open_session", session)
    monkeypatch.setattr(undo_command, "ensure_tables", lambda *_: None)
    monkeypatch.setattr(undo_command, "read_runs", lambda leg, run: Rows(set(legs[leg.settings.leg]) & {run}))
    monkeypatch.setattr(undo_command, "undo_run", undo_run)


def test_a_run_is_undone_in_its_leg(call: Call) -> None:
    code, out, _ = call("undo", "b", "--warehouse", "w", "--landing", "land")
    assert (code, out) == (
        0,
        "batch.pin        200 rows removed      1,000 restored\n"
        "and.user           2 rows removed          0 restored\n",
    )
    code, out, _ = call("undo", "s", "--warehouse", "w")
    assert (code, out.split()[0]) == (0, "stream.pin")


def test_a_run_that_cannot_be_undone_is_one_line(call: Call) -> None:
    code, out, err = call("undo", "gone", "--warehouse", "w")
    assert (code, out, err.splitlines()[-1]) == (1, "", "error: run gone: a file is gone")
    assert call("undo", "gone", "--warehouse", "w", "--allow-losses")[0] == 0
    code, _, err = call("undo", "no", "--warehouse", "w")
    said = "error: run must be the run_id of a row of pinterest.runs or pinterest_stream.runs, got 'no'"
    assert (code, err.splitlines()[-1]) == (1, said)
    assert call("undo", "--warehouse", "w")[0] == 2
