"""Errors of the emulation, and error texts in one line without passwords or row values."""

import re
import traceback

from pinterest_transforms.error_format import shorten
from pinterest_transforms.errors import PinterestError

_PASSWORD_IN_URL = re.compile(r"(://[^:/@\s]*):[^\s]*@")
_SAFE = (RuntimeError, OverflowError, MemoryError, UnicodeError, ImportError)
"""Errors whose text quotes no value; the text of any other may quote a row."""


class SourceError(PinterestError):
    """The source database cannot be reached, read or written, or already has a source."""


class SendError(PinterestError):
    """The run cannot start or cannot continue."""


def redact(text: str) -> str:
    """The text with the password of each URL in it replaced by ``***``."""
    return _PASSWORD_IN_URL.sub(r"\1:***@", text)


def format_unexpected_error(error: Exception) -> str:
    """The error's type and where it was raised, without row values, secrets or paths of this machine."""
    frames = [(str(frame.f_globals.get("__name__")), line) for frame, line in traceback.walk_tb(error.__traceback__)]
    ours = [f"{name} line {line}" for name, line in frames if name.startswith(("emulation.", "pinterest_transforms."))]
    text = error.strerror if isinstance(error, OSError) else str(error) if isinstance(error, _SAFE) else ""
    where = f" ({ours[-1]})" if ours else ""
    return f"{type(error).__name__}{where}{': ' if text else ''}{shorten(redact(text or ''))}"
