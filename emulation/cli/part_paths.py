"""What ``generate`` writes has another name until it is complete: a run that is interrupted leaves no half of it."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine

from emulation.source.database import connect
from pinterest_transforms.errors import LandingError


@contextmanager
def open_source(database: str) -> Iterator[Engine]:
    """An engine to write a source with; a new SQLite file has the name with ``.part`` until the end.

    Another database, or a file that is there, is written as it is: SQLite and PostgreSQL roll back what is interrupted.
    """
    engine = connect(database)
    name = engine.url.database or ":memory:"
    is_plain = engine.dialect.driver == "pysqlite" and not engine.url.query
    file = Path(name)
    part = file.with_name(f"{file.name}.part")
    has_part = is_plain and not file.exists() and not name.startswith((":memory:", "file:"))
    if has_part:
        engine = connect(str(part))
        # The journal of a run that was killed would be applied to the new file.
        for path in (part, part.with_name(f"{part.name}-journal")):
            path.unlink(missing_ok=True)
    try:
        yield engine
        engine.dispose()
        if has_part:
            part.rename(file)
    finally:
        engine.dispose()
        if has_part:
            part.unlink(missing_ok=True)


@contextmanager
def open_landing(landing: str) -> Iterator[str]:
    """A folder to write landing files to, which becomes the landing, or whose files are moved to it, at the end.

    Raises:
        LandingError: the landing cannot be written.
    """
    folder = Path(landing)
    # In a landing that is there, a name with a dot at its start is passed over by every reader.
    part = folder / ".part" if folder.is_dir() else folder.with_name(f"{folder.name}.part")
    with _convert_errors(landing):
        part.mkdir(parents=True, exist_ok=True)
        # What a run that was killed has left.
        shutil.rmtree(part / "topics", ignore_errors=True)
    try:
        yield str(part)
        with _convert_errors(landing):
            _move(part, folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _move(part: Path, folder: Path) -> None:
    if not folder.is_dir():
        part.rename(folder)
        return
    for file in sorted(part.rglob("*.json")):
        place = folder / file.relative_to(part)
        place.parent.mkdir(parents=True, exist_ok=True)
        file.rename(place)


@contextmanager
def _convert_errors(landing: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise LandingError(f"landing {landing} cannot be written: {error.strerror}") from None
