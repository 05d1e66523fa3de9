"""Children of the benchmark: started, told what to do, measured, and ended, each by its own process id."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.landings import ROOT

_SAMPLES = 20
"""Memory is looked at so many times a second."""

_PATIENCE = 10


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
    """A worker process of one variant."""

    def __init__(self, name: str, folder: Path, heap: str | None = None) -> None:
        self.name = name
        self._folder = folder / name
        self._folder.mkdir(parents=True)
        paths = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
        scratch = str(self._folder)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.harness.worker", name, scratch, *([heap] if heap else [])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": paths, "SPARK_LOCAL_DIRS": scratch, "TMPDIR": scratch},
            start_new_session=True,  # Ctrl-C comes to the parent alone
        )
        self._root = psutil.Process(self._process.pid)
        self._made = 0
        self.about: dict[str, object] = {}

    def tree(self) -> list[psutil.Process]:
        """Its processes, as far as they live."""
        with contextlib.suppress(psutil.NoSuchProcess):
            return [self._root, *self._root.children(recursive=True)]
        return []

    def ask(self, do: str, **given: str) -> dict[str, object]:
        """Tells it to do something and waits for the answer.

        Raises:
            BenchError: if it fails or is gone.
        """
        if self._process.stdin is None or self._process.stdout is None:
            raise BenchError(f"{self.name}: no pipes")
        with contextlib.suppress(BrokenPipeError):
            print(json.dumps({"do": do, **given}), file=self._process.stdin, flush=True)
        line = self._process.stdout.readline()
        answer: dict[str, object] = json.loads(line) if line else {"error": "the process is gone"}
        if "error" in answer:
            raise BenchError(f"{self.name}: {do} failed: {answer['error']}")
        return answer

    def fresh_folder(self) -> Path:
        """A folder's name that was not given yet."""
        self._made += 1
        return self._folder / f"run-{self._made}"

    def measured(self, place: str) -> Usage:
        """Does one run, and measures it; what earlier runs left is freed before."""
        self.ask("settle")
        machine, before = _machine_cpu(), _cpu(self.tree())
        with _Sampler(self) as sampler:
            seconds: float = self.ask("run", place=place)["seconds"]  # type: ignore[assignment]
        own = _cpu(self.tree()) - before
        return Usage(seconds, own, sampler.peak, max(0.0, _machine_cpu() - machine - own))

    def close(self) -> None:
        """Lets it end, and ends what does not."""
        left = self.tree()
        with contextlib.suppress(OSError):
            if self._process.stdin is not None:
                self._process.stdin.close()
        self.ended(left)

    def stop(self) -> list[psutil.Process]:
        """Asks it to end at once, in the middle of what it does; its processes, to be waited for."""
        left = self.tree()
        self._process.terminate()
        return left

    def ended(self, left: list[psutil.Process]) -> None:
        """Waits for its processes, and ends those that do not end."""
        _, alive = psutil.wait_procs(left, _PATIENCE)
        for process in alive:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()


@contextlib.contextmanager
def children(names: Sequence[str], folder: Path, heap: str | None = None) -> Iterator[dict[str, Child]]:
    """Children of these names, up and ready; ended at the end, at once if something went wrong.

    Args:
        names: of the variants.
        folder: where they work.
        heap: most memory of the driver, as ``spark.driver.memory``; what the machine has for it if not given.
    """
    made: dict[str, Child] = {}
    try:
        for name in names:
            made[name] = Child(name, folder, heap)
        for child in made.values():
            child.about = child.ask("hello")
        yield made
    except BaseException:
        with _undisturbed():
            stopped = [(child, child.stop()) for child in made.values()]
            for child, left in stopped:
                child.ended(left)
        raise
    with _undisturbed():
        for child in made.values():
            child.close()


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """A second Ctrl-C does not leave the children behind."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


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


class _Sampler:
    """Looks at a child's memory while it runs."""

    def __init__(self, child: Child) -> None:
        self.peak = 0
        self._child = child
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> "_Sampler":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _look(self) -> None:
        # Finding the children costs more than asking them, so it is done once a second.
        asked, tree = 0.0, []
        while True:
            if time.monotonic() - asked > 1:
                asked, tree = time.monotonic(), self._child.tree()
            now = 0
            for process in tree:
                with contextlib.suppress(psutil.NoSuchProcess):
                    now += process.memory_info().rss
            self.peak = max(self.peak, now)
            if self._done.wait(1 / _SAMPLES):
                return
