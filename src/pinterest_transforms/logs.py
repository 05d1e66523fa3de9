"""The library's log, on standard output: lines of text for people, or JSON lines for a system that collects logs.

Each module logs with ``logging.getLogger(__name__)``. The notebook or command that runs them calls
``configure_logging`` once; a program with its own logging attaches handlers to the logger ``pinterest_transforms``.
"""

import json
import logging
import sys
from datetime import UTC, datetime

from pinterest_transforms.error_format import clean_text
from pinterest_transforms.errors import SettingsError

LOGGER = "pinterest_transforms"
LOG_FORMATS = ("text", "json")
_NAME = f"{LOGGER}: "
FIELDS = (
    *("run_id", "query_id", "topic", "batch_id", "table", "files", "conflicts"),
    *("read", "merged", "already_there", "rejected", "repaired", "seconds"),
)
"""What a record may carry in ``extra``: names of this project's own and numbers, never the text of a record."""


class _TextFormatter(logging.Formatter):
    """The message alone, on one line."""

    def format(self, record: logging.LogRecord) -> str:
        """Formats the record, without a traceback: it may quote data."""
        return f"{'error: ' if record.levelno >= logging.ERROR else ''}{clean_text(record.getMessage())}"


class _JsonFormatter(logging.Formatter):
    """One JSON object per line: time, level, logger, message, and those of ``FIELDS`` that the record carries."""

    def format(self, record: logging.LogRecord) -> str:
        """Formats the record, without a traceback: it may quote data."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": clean_text(record.getMessage()),
        }
        return json.dumps(line | {name: value for name, value in vars(record).items() if name in FIELDS})


class _StdoutHandler(logging.Handler):
    """Writes to what standard output is at that moment: each cell of a notebook may have another one."""

    def __init__(self, log_format: str) -> None:
        super().__init__()
        self.name = f"{_NAME}{log_format}"
        self.setFormatter(_JsonFormatter() if log_format == "json" else _TextFormatter())
        if log_format == "text":
            self.addFilter(is_for_people)

    def emit(self, record: logging.LogRecord) -> None:
        """Writes the record in one call, so that lines of several threads do not mix."""
        try:
            sys.stdout.write(f"{self.format(record)}\n")
            sys.stdout.flush()
        except Exception:
            self.handleError(record)


def is_for_people(record: logging.LogRecord) -> bool:
    """False for the record of a single micro-batch: a stream may have one each second."""
    return record.levelno > logging.INFO or not hasattr(record, "batch_id")


def configure_logging(log_format: str) -> None:
    """Writes the library's log to standard output; a second call only changes the format.

    The root logger and those of other packages stay as they are.

    Args:
        log_format: ``text`` for people; ``json`` for a record of each micro-batch and the fields of every record, too.

    Raises:
        SettingsError: it is neither.
    """
    if log_format not in LOG_FORMATS:
        raise SettingsError(f"log_format must be {' or '.join(LOG_FORMATS)}, got {log_format!r}")
    logger = logging.getLogger(LOGGER)
    if active_log_format() != log_format:
        for handler in _own_handlers():
            logger.removeHandler(handler)
        logger.addHandler(_StdoutHandler(log_format))
    logger.setLevel(logging.INFO)
    logger.propagate = False  # a handler of the root logger would write each line again


def active_log_format() -> str:
    """The format that was configured in this process; empty if none was."""
    return next((str(handler.name).removeprefix(_NAME) for handler in _own_handlers()), "")


def _own_handlers() -> list[logging.Handler]:
    """Handlers of ``configure_logging``. A notebook that loads the library again has made them of another class."""
    return [handler for handler in logging.getLogger(LOGGER).handlers if str(handler.name).startswith(_NAME)]
