"""Processes of the variants, each with its own Java: they are told what to do, measured, and ended."""

import contextlib
import gc
import os
import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

import psutil
from pyspark.sql import SparkSession

from benchmarks.peers.variants import run
from local.runtime.spark_session import start_local_session
from pinterest_transforms.settings import Settings

_SAMPLES = 20
"""How many times a second memory is looked at."""

T = TypeVar("T")
_session: list[SparkSession] = []
"""The session of a child's process."""


class BenchError(Exception):
    """The benchmark cannot go on: a run failed, or its result is not what it must be."""


@dataclass(frozen=True)
class Usage:
    """What a run took.

    Attributes:
        wall: wall seconds of the three topics.
        cpu: CPU seconds of the child's processes, Python's and Java's.
        peak: most bytes of memory (RSS) they had together.
        elsewhere: CPU seconds that everything else on the machine took meanwhile, the idle children among it.
    """

    wall: float
    cpu: float
    peak: int
    elsewhere: float


class Child:
    """The process of one variant.

    Attributes:
        name: the variant's.
        about: what it runs on.
    """

    def __init__(self, name: str, folder: Path, heap: str | None = None) -> None:
        self.name, self._folder, self._made = name, folder / name, 0
        self._folder.mkdir(parents=True)
        self._pool = ProcessPoolExecutor(1, get_context("spawn"), _start_session, (name, self._folder, heap))
        try:
            self._root = psutil.Process(self._pool.submit(os.getpid).result())
            self.about = self.ask(_describe)
        except BaseException:
            self._pool.shutdown()  # ends it when it has started
            raise

    def tree(self) -> list[psutil.Process]:
        """Its processes, as far as they live."""
        with contextlib.suppress(psutil.NoSuchProcess):
            return [self._root, *self._root.children(recursive=True)]
        return []

    def ask(self, do: Callable[..., T], *given: object) -> T:
        """Calls a function there, with the child's session first.

        Raises:
            BenchError: the function has failed, or its process has ended: perhaps memory is short.
        """
        try:
            return self._pool.submit(_call, do, *given).result()
        except BrokenProcessPool:
            raise BenchError(
                f"the process of {self.name} must not end before it is told to: is memory short?"
            ) from None

    def fresh_target(self, landing: Path) -> Settings:
        """Names and places of a run that writes where none has written; the session remembers where a name's was."""
        self._made += 1
        warehouse = self._folder / f"run-{self._made}"
        return Settings(landing=str(landing), warehouse=str(warehouse), schema=f"bench_{self._made}")

    def measure_run(self, settings: Settings) -> Usage:
        """Does one run, and measures it; what earlier runs left is freed before."""
        self.ask(free_memory)
        machine, before = _machine_cpu(), _cpu(self.tree())
        with _watch_memory(self) as peak:
            seconds = self.ask(run, self.name, settings)
        own = _cpu(self.tree()) - before
        return Usage(seconds, own, max(peak), max(0.0, _machine_cpu() - machine - own))

    def close(self) -> None:
        """Ends its processes at once: nothing of them is needed any more."""
        left = self.tree()
        for process in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self._pool.shutdown()
        psutil.wait_procs(left)


@contextlib.contextmanager
def children(names: Sequence[str], folder: Path, heap: str | None = None) -> Iterator[dict[str, Child]]:
    """Children of these names, up and ready; ended at the end.

    Args:
        names: of the variants.
        folder: where they work.
        heap: most memory of the driver, as ``spark.driver.memory``; what the machine has for it if not given.
    """
    made: dict[str, Child] = {}
    try:
        for name in names:
            made[name] = Child(name, folder, heap)
        yield made
    finally:
        for child in made.values():
            child.close()


def _start_session(name: str, folder: Path, heap: str | None) -> None:
    """Prepares a child's process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent gets it too, and ends this process
    os.environ.update(SPARK_LOCAL_DIRS=str(folder), TMPDIR=str(folder))
    extra = {"spark.driver.memory": heap} if heap else {}
    _session.append(start_local_session(folder / "spark", app_name=f"bench-{name}", extra=extra))


def _call(do: Callable[..., T], *given: object) -> T:
    try:
        return do(_session[0], *given)
    except Exception:
        # Spark's exceptions hold Java's and cannot be sent to the parent.
        raise BenchError(traceback.format_exc()) from None


def _describe(spark: SparkSession) -> dict[str, object]:
    memory = spark.sparkContext.getConf().get("spark.driver.memory")
    java = spark.sparkContext._jvm.System.getProperty("java.version")
    return {"Java": java, "Spark": spark.version, "driver memory": memory}


def free_memory(spark: SparkSession) -> None:
    """Frees what earlier runs left, so that no run pays for it: the children share the machine's memory."""
    gc.collect()
    spark.sparkContext._jvm.System.gc()


def _cpu(processes: Sequence[psutil.Process]) -> float:
    """CPU seconds of the processes so far, and of their children that have ended."""
    total = 0.0
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
    return total


def _machine_cpu() -> float:
    """CPU seconds of the whole machine so far."""
    times = psutil.cpu_times()._asdict()
    return sum(float(times.get(name, 0.0)) for name in ("user", "nice", "system", "irq", "softirq"))


@contextlib.contextmanager
def _watch_memory(child: Child) -> Iterator[list[int]]:
    """Bytes of memory of a child's processes, again and again while this context lasts."""
    seen: list[int] = []
    done = threading.Event()

    def watch() -> None:
        # Finding the processes costs more than asking them, so it is done once a second.
        found, tree = 0.0, []
        while not seen or not done.wait(1 / _SAMPLES):
            if time.monotonic() - found > 1:
                found, tree = time.monotonic(), child.tree()
            now = 0
            for process in tree:
                with contextlib.suppress(psutil.NoSuchProcess):
                    now += process.memory_info().rss
            seen.append(now)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        done.set()
        thread.join()
