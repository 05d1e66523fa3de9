"""An error that nobody of this project foresaw, as one line."""

import traceback

from emulation.producer.send_result import one_line
from emulation.source.database import masked

_MOST = 200
_SAFE = (RuntimeError, OverflowError, MemoryError, UnicodeError, ImportError)
"""Errors whose text is their maker's; that of others may quote a row."""


def unexpected(error: Exception) -> str:
    """Which error it is and where it was raised, without any text of a row, a secret or a path of this machine."""
    raised_at = traceback.walk_tb(error.__traceback__)
    frames = [f"{frame.f_globals.get('__name__')} line {line}" for frame, line in raised_at]
    ours = [frame for frame in frames if frame.startswith(("emulation.", "pinterest_transforms."))]
    text = error.strerror if isinstance(error, OSError) else str(error) if isinstance(error, _SAFE) else ""
    where = f" ({ours[-1]})" if ours else ""
    return f"{type(error).__name__}{where}{': ' if text else ''}{one_line(masked(text or ''), _MOST)}"
