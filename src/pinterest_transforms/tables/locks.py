"""Locks on one machine: one run a warehouse, leg and entity; one set-up at a time. Freed by the system at any death.

Where a catalog manages the tables there is no folder to lock: there a job's ``max_concurrent_runs`` and Spark's own
checkpoint keep two runs apart.
"""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

from pinterest_transforms.entities import Entity
from pinterest_transforms.errors import BusyError
from pinterest_transforms.settings import Settings

_PAUSE_SECONDS = 0.1
_BEHIND_ALL_CONTENT = 2**30


@contextmanager
def entity_lock(settings: Settings, *entities: Entity) -> Iterator[None]:
    """Holds the lock of this warehouse and leg for each of the entities.

    Raises:
        BusyError: another run holds one of them.
    """
    with ExitStack() as stack:
        for entity in entities:
            stack.enter_context(_locked(settings, f"{settings.leg}-{entity.name}", wait=False))
        yield


def setup_lock(settings: Settings) -> AbstractContextManager[None]:
    """Holds the lock of the warehouse's set-up; waits for it."""
    return _locked(settings, "set-up", wait=True)


@contextmanager
def _locked(settings: Settings, name: str, *, wait: bool) -> Iterator[None]:
    if not settings.warehouse:
        yield
        return
    folder = Path(settings.warehouse, "_checkpoints")
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder / f"{name}.lock", os.O_CREAT | os.O_RDWR, 0o644)
    try:
        while not try_lock(handle):
            if wait:
                time.sleep(_PAUSE_SECONDS)
                continue
            raise BusyError(
                f"{name} must run once at a time on {settings.warehouse}, and another run of it is not finished"
            )
        yield
    finally:
        os.close(handle)


def try_lock(handle: int) -> bool:
    """Locks an open file, if no other process or thread holds it. Any death of its process frees it.

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
