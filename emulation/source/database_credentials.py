"""The source database's URL: from an option, the environment, or ``db_creds.yaml``, which git ignores."""

import os
import re
from collections.abc import Mapping
from pathlib import Path

import sqlalchemy as sa
import yaml

from emulation.emulation_errors import SourceError
from emulation.source.database import DATABASE, connect

CREDENTIALS = Path("db_creds.yaml")
_REQUIRED = ("HOST", "USER", "PASSWORD")
_OPTIONAL = ("PORT", "DATABASE")
_DATABASE = "pinterest_data"
_PORT = "3306"
_PORT_NUMBER = re.compile("[0-9]{1,5}")
_COMMENT = re.compile(r"\s+#.*")


def resolve_database_url(
    option: str | None, default: str, environment: Mapping[str, str], file: Path = CREDENTIALS
) -> str:
    """The first of: the option, ``PINTEREST_DATABASE``, the credentials file, the default.

    Raises:
        SourceError: the credentials file exists and is invalid.
    """
    found = option or environment.get("PINTEREST_DATABASE")
    if found:
        return found
    return _read_url(file).render_as_string(hide_password=False) if file.is_file() else default


def connect_source(option: str | None) -> sa.Engine:
    """An engine for an existing source; see ``resolve_database_url``.

    Raises:
        SourceError: the source does not exist, or its URL is invalid.
    """
    return connect(resolve_database_url(option, DATABASE, os.environ), create_folder=False)


def _read_url(file: Path) -> sa.URL:
    values = _read_values(file)
    missing = [name for name in _REQUIRED if not values.get(name)]
    if missing:
        raise SourceError(f"{file} must have {', '.join(_REQUIRED)}; missing: {', '.join(missing)}")
    unknown = sorted(values.keys() - {*_REQUIRED, *_OPTIONAL})
    if unknown:
        raise SourceError(f"{file} may have {', '.join((*_REQUIRED, *_OPTIONAL))}; got {', '.join(unknown)} too")
    port = values.get("PORT") or _PORT
    if not _PORT_NUMBER.fullmatch(port) or not 0 < int(port) < 2**16:
        raise SourceError(f"PORT in {file} must be a number from 1 to 65535")
    return sa.URL.create(
        "mysql+pymysql",
        username=values["USER"],
        password=values["PASSWORD"],
        host=values["HOST"],
        port=int(port),
        database=values.get("DATABASE") or _DATABASE,
        query={"charset": "utf8mb4"},
    )


def _read_values(file: Path) -> dict[str, str]:
    """The file's values as they are written: YAML types would change passwords such as 0123456, no and 1.50."""
    try:
        text = file.read_text(encoding="utf-8-sig")
        # Nodes alone: no type is resolved, no object is built.
        root = yaml.compose(text, yaml.BaseLoader)
    except OSError as error:
        raise SourceError(f"{file} cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError):
        # A YAML error quotes the file's content.
        raise SourceError(
            f"{file} must be YAML in UTF-8, as NAME: value on each line; a value with special characters in quotes"
        ) from None
    if not isinstance(root, yaml.MappingNode):
        raise SourceError(f"{file} must have {', '.join(_REQUIRED)}, got no names")
    values: dict[str, str] = {}
    for name, node in root.value:
        if not isinstance(name, yaml.ScalarNode):
            raise SourceError(f"{file} must have NAME: value on each line, got a name that is no text")
        if name.value in values:
            raise SourceError(f"{file} must have each name once, got {name.value} twice")
        if not isinstance(node, yaml.ScalarNode) or not _is_literal(name.value, node, text):
            raise SourceError(f"{name.value} in {file} must be YAML text on one line: put it in quotes")
        values[name.value] = node.value
    return values


def _is_literal(name: str, node: yaml.ScalarNode, text: str) -> bool:
    """Whether a value is quoted, or the rest of its line; a comment may follow any value but a password."""
    start, end = node.start_mark.index, node.end_mark.index
    if node.style in ("'", '"'):
        return text[start] == node.style and "\n" not in text[start:end]
    line = text[start:].partition("\n")[0].rstrip()
    return bool(node.value == (line if name == "PASSWORD" else _COMMENT.sub("", line)))
