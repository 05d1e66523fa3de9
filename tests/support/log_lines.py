"""What the library logs, as a notebook's reader or a collector of logs gets it."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from io import StringIO

from pinterest_transforms.logs import LOGGER, configure_logging


@contextmanager
def log_lines(log_format: str = "text") -> Iterator[list[str]]:
    """While it lasts, the library's log is taken; its lines are there at the end."""
    lines: list[str] = []
    written, logger = StringIO(), logging.getLogger(LOGGER)
    before = (logger.handlers[:], logger.level, logger.propagate)
    logger.handlers.clear()
    configure_logging(log_format)
    try:
        with redirect_stdout(written):
            yield lines
    finally:
        lines += written.getvalue().splitlines()
        logger.handlers[:], logger.level, logger.propagate = before
