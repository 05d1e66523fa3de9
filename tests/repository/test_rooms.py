"""The library's files are few in a folder, short, and told apart by their names."""

from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "pinterest_transforms"
MOST_FILES, MOST_LINES = 14, 300


def test_no_folder_of_the_library_has_too_many_files() -> None:
    folders = [PACKAGE, *(path for path in PACKAGE.rglob("*") if path.is_dir() and path.name != "__pycache__")]
    counts = {folder.name: sum(path.is_file() for path in folder.iterdir()) for folder in folders}
    assert {name: count for name, count in counts.items() if count > MOST_FILES} == {}


def test_no_file_of_the_library_is_too_long() -> None:
    lines = {file.name: len(file.read_text(encoding="utf-8").splitlines()) for file in PACKAGE.rglob("*.py")}
    assert {name: count for name, count in lines.items() if count > MOST_LINES} == {}


def test_a_file_name_stands_in_one_room() -> None:
    names = Counter(file.stem for file in PACKAGE.rglob("*.py") if file.stem != "__init__")
    assert [name for name, count in names.items() if count > 1] == []
