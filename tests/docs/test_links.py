"""What README and the pages name exists: links, headings, paths, make targets, modules."""

import re
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "benchmarks").glob("*.md")])
ROOMS = {path.name for path in ROOT.iterdir() if not path.name.startswith(".")} | {".ci", ".github", ".devcontainer"}
# Made by a run, not kept in Git.
MADE = {"build", "dist"}
LIBRARY = ROOT / "src" / "pinterest_transforms"
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"```.*?```|`[^`\n]+`", re.S)
PATH = re.compile(r"(?<![\w/.$:<>-])\.?[\w-]+(?:/[\w.*-]+)+/?|(?<![\w/.$:<>-])[\w-]+/(?![\w<{*…./])")
FILE = re.compile(r"(?<![\w/.*>-])[\w-]+\.(?:py|css|lvdash\.json)\b")
TARGET = re.compile(r"\bmake ([a-z-]+)(?![\w/.-])")
MODULE = re.compile(r"python -m ([a-z_.]+)")
FOREIGN = {"venv", "pip", "pytest", "hatchling"}


def _anchors(text: str) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", re.sub(r"```.*?```", "", text, flags=re.S), re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}


def _code(page: Path) -> str:
    return "\n".join(CODE.findall(page.read_text(encoding="utf-8")))


pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)


@pages
def test_every_relative_link_resolves(page: Path) -> None:
    broken = []
    for link in LINK.findall(CODE.sub("", page.read_text(encoding="utf-8"))):
        # The badge's are pages of the repository on GitHub.
        if re.match(r"[a-z]+:|\.\./\.\./actions/", link):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        if not target.exists() or (anchor and anchor not in _anchors(target.read_text(encoding="utf-8"))):
            broken.append(link)
    assert broken == []


@pages
def test_every_path_of_the_project_exists(page: Path) -> None:
    missing = []
    for path in PATH.findall(_code(page)):
        room = path.split("/", 1)[0]
        if room not in ROOMS - MADE and not (LIBRARY / room).exists():
            continue
        if not any(any(base.glob(path.rstrip("/."))) for base in (ROOT, LIBRARY, page.parent)):
            missing.append(path)
    assert missing == []


@pages
def test_every_file_named_alone_stands_in_one_place_or_more(page: Path) -> None:
    known = {file.name for room in ROOMS - MADE for file in (ROOT / room).rglob("*.*")}
    missing = [name for name in FILE.findall(_code(page)) if name not in known]
    assert missing == []


@pages
def test_every_make_target_and_module_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))
    assert set(TARGET.findall(_code(page))) - targets == set()
    modules = set(MODULE.findall(_code(page))) - FOREIGN
    assert {name for name in modules if find_spec(name) is None} == set()


def test_every_page_is_in_the_index() -> None:
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    found = {page.relative_to(ROOT / "docs").as_posix() for page in (ROOT / "docs").rglob("*.md")}
    assert found - {"README.md"} <= set(LINK.findall(index))
