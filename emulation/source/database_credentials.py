"""Where the source database is: an address, the environment, or ``db_creds.yaml``, which git ignores."""

import os
import re
from collections.abc import Mapping
from pathlib import Path

import sqlalchemy as sa
import yaml

from emulation.source.database import DATABASE, SourceError, connect

CREDENTIALS = Path("db_creds.yaml")
_NEEDED = ("HOST", "USER", "PASSWORD")
_OPTIONAL = ("PORT", "DATABASE")
_DATABASE = "pinterest_data"
_PORT = "3306"
_PORT_NUMBER = re.compile("[0-9]{1,5}")
_COMMENT = re.compile(r"\s+#.*")


def database_url(given: str | None, default: str, environment: Mapping[str, str], file: Path = CREDENTIALS) -> str:
    """The database to use: what was given, else ``PINTEREST_DATABASE``, else the file, else the default.

    Raises:
        SourceError: the file is there and does not say what it must.
    """
    found = given or environment.get("PINTEREST_DATABASE")
    if found:
        return found
    return _url_of(file).render_as_string(hide_password=False) if file.is_file() else default


def connect_source(given: str | None) -> sa.Engine:
    """An engine for a source that is there; see ``database_url``.

    Raises:
        SourceError: it is not there, or cannot be named.
    """
    return connect(database_url(given, DATABASE, os.environ), make_folder=False)


def _url_of(file: Path) -> sa.URL:
    """The MySQL address of a credentials file."""
    found = _values_of(file)
    missing = [name for name in _NEEDED if not found.get(name)]
    if missing:
        raise SourceError(f"{file} must have {', '.join(_NEEDED)}; missing: {', '.join(missing)}")
    unknown = sorted(found.keys() - {*_NEEDED, *_OPTIONAL})
    if unknown:
        raise SourceError(f"{file} may have {', '.join((*_NEEDED, *_OPTIONAL))}; got {', '.join(unknown)} too")
    port = found.get("PORT") or _PORT
    if not _PORT_NUMBER.fullmatch(port) or not 0 < int(port) < 2**16:
        raise SourceError(f"PORT in {file} must be a number from 1 to 65535")
    return sa.URL.create(
        "mysql+pymysql",
        username=found["USER"],
        password=found["PASSWORD"],
        host=found["HOST"],
        port=int(port),
        database=found.get("DATABASE") or _DATABASE,
        query={"charset": "utf8mb4"},
    )


def _values_of(file: Path) -> dict[str, str]:
    """What the file says, each value as it is written: YAML's guesses make other passwords of 0123456, no and 1.50."""
    try:
        # An OS error's text has no content of the file; a YAML error's has, so it is not told.
        text = file.read_text(encoding="utf-8-sig")
        # Nodes alone: no type is guessed, and nothing is built.
        root = yaml.compose(text, yaml.BaseLoader)
    except OSError as error:
        raise SourceError(f"{file} cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError):
        raise SourceError(
            f"{file} must be YAML in UTF-8, as NAME: value on each line; a value with special characters in quotes"
        ) from None
    if not isinstance(root, yaml.MappingNode):
        raise SourceError(f"{file} must have {', '.join(_NEEDED)}, got no names")
    values: dict[str, str] = {}
    for name, node in root.value:
        if not isinstance(name, yaml.ScalarNode):
            raise SourceError(f"{file} must have NAME: value on each line, got a name that is no text")
        if name.value in values:
            raise SourceError(f"{file} must have each name once, got {name.value} twice")
        if not isinstance(node, yaml.ScalarNode) or not _is_as_written(name.value, node, text):
            raise SourceError(f"{name.value} in {file} must be YAML text on one line: put it in quotes")
        values[name.value] = node.value
    return values


def _is_as_written(name: str, node: yaml.ScalarNode, text: str) -> bool:
    """Whether a value is in quotes, or all of its line; behind any but a password there may be a comment."""
    start, end = node.start_mark.index, node.end_mark.index
    if node.style in ("'", '"'):
        return text[start] == node.style and "\n" not in text[start:end]
    line = text[start:].partition("\n")[0].rstrip()
    return bool(node.value == (line if name == "PASSWORD" else _COMMENT.sub("", line)))
