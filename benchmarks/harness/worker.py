"""A child process that does one variant when it is told to: ``python -m benchmarks.harness.worker NAME FOLDER [HEAP]``.

Commands come as JSON lines on standard input, answers go as JSON lines to standard output. It ends when its input ends,
when it is asked to, or when its parent is gone.
"""

import contextlib
import gc
import json
import os
import signal
import sys
import threading
import time
import traceback
from pathlib import Path
from types import FrameType

from py4j.java_gateway import JavaClass
from pyspark.sql import SparkSession

from benchmarks.peers.variants import MAKERS
from local.runtime.java import kill_java
from local.runtime.spark_session import local_session, stop_session
from pinterest_transforms.settings import Settings

Command = dict[str, str]
Answer = dict[str, object]


class _Worker:
    """The variant and its session."""

    def __init__(self, name: str, folder: Path, heap: str | None = None) -> None:
        extra = {"spark.driver.memory": heap} if heap else {}
        self._spark = local_session(folder / "spark", app_name=f"bench-{name}", extra=extra)
        self._variant = MAKERS[name](self._spark)

    def hello(self, _: Command) -> Answer:
        """What it runs on."""
        java = _java(self._spark)
        memory = self._spark.sparkContext.getConf().get("spark.driver.memory")
        return {"Java": java.getProperty("java.version"), "Spark": self._spark.version, "driver memory": memory}

    def prepare(self, command: Command) -> Answer:
        """Makes a place ready."""
        self._variant.prepare(command["place"], Settings(landing=command["landing"]), Path(command["folder"]))
        return {}

    def settle(self, _: Command) -> Answer:
        """Frees what earlier runs left, so that nobody's run pays for it."""
        gc.collect()
        _java(self._spark).gc()
        return {}

    def run(self, command: Command) -> Answer:
        """The timed part: seconds of the three topics."""
        start = time.perf_counter()
        self._variant.run(command["place"])
        return {"seconds": time.perf_counter() - start}

    def facts(self, command: Command) -> Answer:
        """What came out."""
        return {"facts": self._variant.facts(command["place"])}

    def clear(self, command: Command) -> Answer:
        """Forgets a place."""
        self._variant.clear(command["place"])
        return {}

    def close(self) -> None:
        """Ends Java."""
        stop_session(self._spark)


def _java(spark: SparkSession) -> JavaClass:
    jvm = spark.sparkContext._jvm
    if jvm is None:
        raise RuntimeError("the session must have a Java process, got none")
    return jvm.System


def _end(*_: int | FrameType | None) -> None:
    """Ends this process and its Java at once."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # pyspark would tell at length that Java is gone
    kill_java()
    os._exit(143)


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1)
    _end()


def main() -> None:
    """Reads commands until there are no more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent has it, and ends this process
    signal.signal(signal.SIGTERM, _end)
    threading.Thread(target=_watch, args=[os.getppid()], daemon=True).start()
    # Answers have standard output to themselves, whatever else prints.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    worker = _Worker(sys.argv[1], Path(sys.argv[2]), *sys.argv[3:])
    for line in sys.stdin:
        command: Command = json.loads(line)
        try:
            answer: Answer = getattr(worker, command["do"])(command)
        except Exception:
            answer = {"error": traceback.format_exc()}
        with contextlib.suppress(BrokenPipeError):
            print(json.dumps(answer), file=answers, flush=True)
    worker.close()


if __name__ == "__main__":
    main()
