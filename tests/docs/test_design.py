"""The page of one record's way names functions that exist."""

import pydoc
import re
from pathlib import Path

DESIGN = (Path(__file__).parents[2] / "docs" / "design.md").read_text(encoding="utf-8")
SECTION = DESIGN.split("## One record's way", 1)[1].split("\n## ", 1)[0]
NAMED = re.findall(r"`(\w+(?:\.\w+)*\.(?!py`)\w+)`", SECTION)
WAY = re.findall(r"^\| (\d+) \| `([\w.]+)` \| (?:`(\w+)`|(\d+)) \|", DESIGN, re.MULTILINE)


def find(path: str) -> object:
    """What a dotted path below the library names: a module's function, or a method."""
    return pydoc.locate(f"pinterest_transforms.{path}")


def test_every_function_of_a_records_way_exists() -> None:
    assert [int(step) for step, *_ in WAY] == list(range(1, 19))
    assert {path for _, path, _, _ in WAY} < set(NAMED)  # some are named beside a step
    assert [path for path in NAMED if not callable(find(path))] == []
    homes = {path: getattr(find(path), "__module__", "") for path in NAMED}
    assert [path for path, home in homes.items() if not f"pinterest_transforms.{path}".startswith(f"{home}.")] == []


def test_a_step_is_called_by_an_earlier_one_or_a_notebook() -> None:
    notebooks = {file.stem for file in (Path(__file__).parents[2] / "notebooks").glob("*.py")}
    assert all(notebook in notebooks if notebook else int(caller) < int(step) for step, _, notebook, caller in WAY)
