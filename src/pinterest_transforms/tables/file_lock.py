"""A lock on an open file, freed by the system at any death of its process. Free of Spark."""

import os
import sys

_BEHIND_ALL_CONTENT = 2**30


def try_lock(handle: int) -> bool:
    """Locks an open file, if no other process or thread holds it.

    Args:
        handle: the file's descriptor; on Windows its position is moved.

    Returns:
        Whether it is locked now.

    Raises:
        OSError: the file's drive has no locks.
    """
    try:
        if sys.platform == "win32":
            import msvcrt  # noqa: PLC0415

            os.lseek(handle, _BEHIND_ALL_CONTENT, os.SEEK_SET)  # a locked byte cannot be read by others
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl  # noqa: PLC0415

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True
