"""Reads Databricks' source format: one Python file that is a notebook of cells."""

import re
from dataclasses import dataclass
from pathlib import Path

from pinterest_transforms.errors import PinterestError

HEADER = "# Databricks notebook source"
_SEPARATOR = re.compile(r"\A# COMMAND -{10}\s*\Z")
_TITLE = re.compile(r"\A# DBTITLE \d+,(.*)\Z")
_MAGIC = re.compile(r"\A# MAGIC(?: (.*))?\Z")
_HEADING = re.compile(r"^#{1,6} +(.+?)\s*$", re.MULTILINE)


class NotebookError(PinterestError):
    """A notebook cannot be read, or failed in one of its cells."""


@dataclass(frozen=True)
class Cell:
    """One cell.

    Attributes:
        number: its place, from 1.
        first_line: line of the file on which ``source`` starts.
        is_markdown: whether it is text for people, not code.
        source: its text; as many lines as in the file.
        title: its title; else the last heading above it, else empty.
    """

    number: int
    first_line: int
    is_markdown: bool
    source: str
    title: str = ""


def read_cells(path: Path) -> list[Cell]:
    """The cells of a notebook, in order; empty ones are left out.

    Raises:
        NotebookError: if there is no such file, it is no notebook, or a cell has a magic other than ``%md``.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise NotebookError(f"{path} must be a notebook in source format, and cannot be read: {error}") from error
    if not lines or lines[0].strip() != HEADER:
        raise NotebookError(f"{path} must be a notebook in source format: its first line must be {HEADER!r}")
    cells: list[Cell] = []
    heading = ""
    for start, part in _split_cells(lines):
        cell = _parse_cell(path, len(cells) + 1, start, part, heading)
        if cell is None:
            continue
        if cell.is_markdown and (headings := _HEADING.findall(cell.source)):
            heading = headings[-1]
        cells.append(cell)
    return cells


def _split_cells(lines: list[str]) -> list[tuple[int, list[str]]]:
    """Runs of lines between separators, each with the number of its first line."""
    parts: list[tuple[int, list[str]]] = [(2, [])]
    for number, line in enumerate(lines[1:], start=2):
        if _SEPARATOR.match(line):
            parts.append((number + 1, []))
        else:
            parts[-1][1].append(line)
    return parts


def _parse_cell(path: Path, number: int, start: int, lines: list[str], heading: str) -> Cell | None:
    title = heading
    kept = list(lines)
    for at, line in enumerate(kept):
        if found := _TITLE.match(line):
            title, kept[at] = found[1].strip(), ""
    written = [line for line in kept if line.strip()]
    if not written:
        return None
    if not any(_MAGIC.match(line) for line in written):
        return Cell(number, start, False, "\n".join(kept), title)
    where = f"{path.name}, cell {number}"
    if not all(_MAGIC.match(line) for line in written):
        raise NotebookError(f"{where}: every line of a cell with a magic must start with '# MAGIC', and one does not")
    texts = [found[1] or "" if (found := _MAGIC.match(line)) else "" for line in kept]
    first = next((at for at, text in enumerate(texts) if text.strip()), 0)
    magic, _, beside = texts[first].strip().partition(" ")
    if magic != "%md":
        raise NotebookError(
            f"{where}: magic must be %md, got {magic if magic.startswith('%') else repr(texts[first].strip())}"
        )
    # What stands beside the magic is already the cell's text.
    texts[first] = beside
    return Cell(number, start, True, "\n".join(texts), title)
