"""The page of one record's way names functions that exist."""

import pydoc
import re
from pathlib import Path

DESIGN = (Path(__file__).parents[2] / "docs" / "design.md").read_text(encoding="utf-8")
WAY = re.findall(r"^\| (\d+) \| `([\w.]+)` \| (?:`(\w+)`|(\d+)) \|", DESIGN, re.MULTILINE)


def find(path: str) -> object:
    """What a dotted path below the library names: a module's function, or a method."""
    return pydoc.locate(f"pinterest_transforms.{path}")


def test_every_function_of_a_records_way_exists() -> None:
    assert [int(step) for step, *_ in WAY] == list(range(1, 19))
    assert all(callable(find(path)) for _, path, _, _ in WAY)


def test_a_step_is_called_by_an_earlier_one_or_a_notebook() -> None:
    notebooks = {file.stem for file in (Path(__file__).parents[2] / "notebooks").glob("*.py")}
    assert all(notebook in notebooks if notebook else int(caller) < int(step) for step, _, notebook, caller in WAY)
