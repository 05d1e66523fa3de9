"""Where the source database is: an address, the environment, or ``db_creds.yaml``, which git ignores."""

import os
from collections.abc import Mapping
from pathlib import Path

import sqlalchemy as sa
import yaml

from emulation.source import DATABASE, SourceError, connect

CREDENTIALS = Path("db_creds.yaml")
_NEEDED = ("HOST", "USER", "PASSWORD")
_OPTIONAL = ("PORT", "DATABASE")
_DATABASE = "pinterest_data"
_PORT = 3306


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
    try:
        # An OS error's text has no content of the file; a YAML error's has, so it is not told.
        found = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise SourceError(f"{file} cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError):
        raise SourceError(
            f"{file} must be YAML, as NAME: value on each line; a value with special characters in quotes"
        ) from None
    if not isinstance(found, dict):
        raise SourceError(f"{file} must have {', '.join(_NEEDED)}, got no names")
    missing = [name for name in _NEEDED if found.get(name) in (None, "")]
    if missing:
        raise SourceError(f"{file} must have {', '.join(_NEEDED)}; missing: {', '.join(missing)}")
    unknown = sorted(str(name) for name in found.keys() - {*_NEEDED, *_OPTIONAL})
    if unknown:
        raise SourceError(f"{file} may have {', '.join((*_NEEDED, *_OPTIONAL))}; got {', '.join(unknown)} too")
    port = found.get("PORT", _PORT)
    if not isinstance(port, int) or not 0 < port < 2**16:
        raise SourceError(f"PORT in {file} must be a number from 1 to 65535")
    return sa.URL.create(
        "mysql+pymysql",
        username=str(found["USER"]),
        password=str(found["PASSWORD"]),
        host=str(found["HOST"]),
        port=port,
        database=str(found.get("DATABASE") or _DATABASE),
        query={"charset": "utf8mb4"},
    )
