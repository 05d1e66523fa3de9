"""Locks: one run of an entity at a time, waiting set-ups, freed by a death."""

import os
import signal
import subprocess
import sys
import threading
import types
from pathlib import Path

import pytest

from pinterest_transforms.entities import GEO, PIN
from pinterest_transforms.errors import BusyError
from pinterest_transforms.settings import Settings
from pinterest_transforms.tables.locks import entity_lock, setup_lock

HOLDER = """
import sys
from pinterest_transforms.entities import PIN
from pinterest_transforms.settings import Settings
from pinterest_transforms.tables.locks import entity_lock
with entity_lock(Settings(warehouse=sys.argv[1]), PIN):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_the_same_entity_twice_at_once_is_refused(tmp_path: Path):
    settings = Settings(warehouse=str(tmp_path))
    with entity_lock(settings, PIN):
        with pytest.raises(BusyError) as error, entity_lock(settings, PIN):
            pass
        with entity_lock(settings, GEO), entity_lock(Settings(warehouse=str(tmp_path), leg="stream"), PIN):
            pass  # others are not in the way
    assert str(error.value) == (
        f"batch-pin must run once at a time on {tmp_path}, and another run of it is not finished"
    )
    with entity_lock(settings, PIN):
        pass  # free again


def test_a_lock_is_free_after_its_holder_was_killed(tmp_path: Path):
    settings = Settings(warehouse=str(tmp_path))
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(BusyError), entity_lock(settings, PIN):
            pass
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        with entity_lock(settings, PIN):
            pass


def test_a_set_up_waits_for_another(tmp_path: Path):
    settings = Settings(warehouse=str(tmp_path))
    order: list[str] = []

    def second() -> None:
        with setup_lock(settings):
            order.append("second")

    with setup_lock(settings):
        waiting = threading.Thread(target=second)
        waiting.start()
        waiting.join(0.3)
        order.append("first")
    waiting.join(10)
    assert order == ["first", "second"]


def test_there_is_nothing_to_lock_where_a_catalog_manages_the_tables():
    with entity_lock(Settings(), PIN), entity_lock(Settings(), PIN), setup_lock(Settings()):
        pass


EVERY_MODULE = """
import importlib, pkgutil, sys
for name in ("fcntl", "pwd", "grp", "resource", "termios"):
    sys.modules[name] = None  # as on a system that has no such module
import pinterest_transforms
found = [module.name for module in pkgutil.walk_packages(pinterest_transforms.__path__, "pinterest_transforms.")]
for name in found:
    importlib.import_module(name)
print(len(found))
"""


def test_the_library_needs_no_module_that_only_unix_has():
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", EVERY_MODULE]
    got = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    assert got.stderr == ""
    assert int(got.stdout) > 30


def test_a_lock_is_kept_without_fcntl(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """As Windows has it: the first byte of a file is locked, and a second lock of it is an error at once."""
    held: set[tuple[int, int]] = set()

    def locking(handle: int, _mode: int, _size: int) -> None:
        file = os.fstat(handle)
        if (file.st_dev, file.st_ino) in held:
            raise PermissionError(13, "Permission denied")
        held.add((file.st_dev, file.st_ino))

    monkeypatch.setitem(sys.modules, "fcntl", None)
    monkeypatch.setitem(sys.modules, "msvcrt", types.SimpleNamespace(LK_NBLCK=2, locking=locking))
    monkeypatch.setattr(sys, "platform", "win32")
    settings = Settings(warehouse=str(tmp_path))

    with entity_lock(settings, PIN), pytest.raises(BusyError), entity_lock(settings, PIN):
        pass
    with entity_lock(settings, GEO):
        pass
