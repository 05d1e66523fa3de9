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
    given = sorted(name for name, value in values.items() if value)
    if not {*_REQUIRED} <= {*given} <= {*_REQUIRED, *_OPTIONAL}:
        names = f"{', '.join(_REQUIRED)} and may have {' and '.join(_OPTIONAL)}"
        raise SourceError(f"{file} must have {names}, got {', '.join(given) or 'none'}")
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
    """The file's values as text: YAML's types would change passwords such as 0123456, no and 1.50."""
    try:
        values = yaml.load(file.read_text(encoding="utf-8-sig"), yaml.BaseLoader)  # noqa: S506 - builds text alone
    except OSError as error:
        raise SourceError(f"{file} cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError):
        # A YAML error quotes the file's content.
        values = None
    if not isinstance(values, dict) or not all(isinstance(text, str) for pair in values.items() for text in pair):
        raise SourceError(
            f"{file} must be YAML in UTF-8, as NAME: value on each line; a value with special characters in quotes"
        )
    return values
