"""Reads Databricks' source format: one Python file that is a notebook of cells."""

import re
from dataclasses import dataclass
from pathlib import Path

from pinterest_transforms.errors import PinterestError

HEADER = "# Databricks notebook source"
_SEPARATOR = re.compile(r"\A# COMMAND -{10}\s*\Z")
_TITLE = re.compile(r"\A# DBTITLE \d+,(.*)\Z")
_MAGIC = re.compile(r"\A# MAGIC(?: (.*))?\Z")
_HEADING = re.compile(r"^# MAGIC (?:%md +)?#{1,6} +(.+?)\s*$", re.MULTILINE)


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
        title = next((found[1].strip() for line in part if (found := _TITLE.match(line))), heading)
        kept = ["" if _TITLE.match(line) else line for line in part]
        if not any(line.strip() for line in kept):
            continue
        number, source = len(cells) + 1, "\n".join(kept)
        is_markdown = _is_markdown(f"{path.name}, cell {number}", kept)
        if is_markdown and (headings := _HEADING.findall(source)):
            heading = headings[-1]
        cells.append(Cell(number, start, is_markdown, source, title))
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


def _is_markdown(where: str, lines: list[str]) -> bool:
    written = [line for line in lines if line.strip()]
    magics = [found[1] or "" for line in written if (found := _MAGIC.match(line))]
    if not magics:
        return False
    if len(magics) < len(written):
        raise NotebookError(f"{where}: every line of a cell with a magic must start with '# MAGIC', and one does not")
    first = next((text.strip() for text in magics if text.strip()), "")
    magic = first.partition(" ")[0]
    if magic != "%md":
        raise NotebookError(f"{where}: magic must be %md, got {magic if magic.startswith('%') else repr(first)}")
    return True
