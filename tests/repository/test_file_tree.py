"""Folders are small enough to be seen at a glance, and a file's name says its content without the folder's help."""

from collections import Counter
from pathlib import Path

import pytest

from tests.conftest import LONG

PROJECT = Path(__file__).parents[2]
ROOMS = (
    "src",
    "emulation",
    "local",
    "resources",
    "orchestration",
    "workspace",
    "infrastructure",
    "benchmarks",
    "docs",
    "tests",
)
MAX_FILES = 14
MAX_LINES = 300
# Python gives these names a meaning in every folder.
COMMON_NAMES = {"__init__.py", "__main__.py", "conftest.py"}
# It says that the package has types, and holds nothing.
MARKERS = {"py.typed"}


def find_modules() -> list[Path]:
    """Every Python file of the project, by its path below the project's folder."""
    return [file.relative_to(PROJECT) for room in ROOMS for file in sorted((PROJECT / room).rglob("*.py"))]


def test_no_folder_has_more_than_14_files() -> None:
    files = [file for room in ROOMS for file in (PROJECT / room).rglob("*.*") if file.is_file()]
    counts = Counter(file.parent for file in files if file.suffix != ".pyc" and file.name not in MARKERS)
    assert [str(folder) for folder, count in counts.items() if count > MAX_FILES] == []


def test_no_file_name_stands_twice() -> None:
    counts = Counter(file.name for file in find_modules())
    assert [name for name, count in counts.items() if count > 1 and name not in COMMON_NAMES] == []


def test_no_module_has_more_than_300_lines() -> None:
    """Tables of test cases may be longer."""
    modules = [file for file in find_modules() if file.parts[0] != "tests"]
    lines = {str(file): len((PROJECT / file).read_text(encoding="utf-8").splitlines()) for file in modules}
    assert {file for file, count in lines.items() if count > MAX_LINES} == set()


def test_the_long_files_of_the_suite_are_there() -> None:
    assert {f"{name}.py" for name in LONG} <= {file.name for file in find_modules()}


def test_a_group_of_tests_stays_on_one_worker(request: pytest.FixtureRequest) -> None:
    """pytest-xdist adds the group to the id; where it could not, it would run each test anywhere, without a word."""
    is_grouped = bool(request.config.getoption("loadgroup", False))
    assert request.node.nodeid.endswith("@test_file_tree") == is_grouped
