"""A Spark session on one machine, set up like the platform's where it matters: Delta, UTC; quiet, and loopback only."""

import atexit
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import FrameType
from typing import Protocol

import pyspark
from pyspark import SparkConf, SparkContext
from pyspark.java_gateway import launch_gateway
from pyspark.logger import PySparkLogger
from pyspark.sql import SparkSession

from local.jars import delta_jars
from local.java import check_java

GIB = 1024**3
_PROJECT = Path(__file__).resolve().parent.parent
# What Python's workers of Spark import: the library, and the source that stands in for the platform's.
_SOURCES = (str(_PROJECT / "src"), str(_PROJECT))
_LOG_SETTINGS = Path(__file__).with_name("log4j2.properties")
# Spark's generated code fills the default, and then nothing more is compiled.
_CODE_CACHE = "-XX:ReservedCodeCacheSize=512m"
# The rules of an entity make one large method of Spark's generated code, and Java by default never compiles those.
_LARGE_METHODS = "-XX:-DontCompileHugeMethods"
# A batch wants its work done soon, and no short pauses.
_COLLECTOR = "-XX:+UseParallelGC"
# Spark's classes outgrow the default many times over, and each time everything is collected: a dozen times a run.
_CLASSES = "-XX:MetaspaceSize=512m"
# What the JVM itself prints at its start and no setting turns off.
_NOISE = (b"WARNING: Using incubator modules", b"Picked up JAVA_TOOL_OPTIONS", b"Picked up _JAVA_OPTIONS")
_FIXED = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    "spark.sql.catalogImplementation": "in-memory",
    "spark.sql.session.timeZone": "UTC",
    "spark.databricks.delta.snapshotPartitions": "2",
    "spark.sql.sources.parallelPartitionDiscovery.parallelism": "2",
    # A batch has more pieces of generated code than the default keeps (100): each was compiled again in each batch.
    "spark.sql.codegen.cache.maxEntries": "5000",
    # Spelling out each plan for a page that is off takes time, and noting each call's place in Python half of planning.
    "spark.sql.ui.explainMode": "simple",
    "spark.sql.dataFrameQueryContext.enabled": "false",
    "spark.python.sql.dataFrameDebugging.enabled": "false",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.connect.grpc.binding.address": "127.0.0.1",
    "spark.connect.grpc.binding.port": "0",
}


# pyspark logs what it also raises.
_LOGGERS = ("SQLQueryContextLogger", "DataFrameQueryContextLogger")
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Gateway(Protocol):
    """What is used here of py4j's gateway to the Java process."""

    proc: "subprocess.Popen[bytes]"

    def shutdown(self) -> None:
        """Closes the connections to Java."""


_started: list[Gateway] = []


def local_session(
    warehouse: str | Path, *, app_name: str = "pinterest", extra: Mapping[str, str] | None = None
) -> SparkSession:
    """A session on this machine; the one that already runs in this process, if there is one.

    Args:
        warehouse: folder of the tables, and of those that are made without naming a place; made where it is not
            there. Empty for a temporary one.
        app_name: name of the application.
        extra: Spark settings that win over the ones made here.

    Raises:
        JavaError: if there is no Java that Spark runs on.
        JarError: if Delta's jars are not there and cannot be fetched.
    """
    running = SparkContext._active_spark_context
    if running is not None:
        return SparkSession(running)
    check_java()
    conf = SparkConf(loadDefaults=False)
    conf.setAppName(app_name)
    conf.setAll(list({**_settings(warehouse), **(extra or {})}.items()))
    _prepare_environment()
    handler = signal.getsignal(signal.SIGINT)
    with _output_passed_on() as output, _signals_held():
        gateway = launch_gateway(conf, {"stdout": output, "stderr": output})  # type: ignore[no-untyped-call]
        _started.append(gateway)
    atexit.register(_end_java, gateway)
    context = SparkContext(conf=conf, gateway=gateway)
    if threading.current_thread() is threading.main_thread():
        # pyspark has put one of its own in its place.
        signal.signal(signal.SIGINT, handler)
    return SparkSession(context)


def stop_session(spark: SparkSession) -> None:
    """Stops a session of this process and its Java process; returns when it is gone."""
    gateway = SparkContext._gateway
    try:
        spark.stop()
    finally:
        if gateway is not None:
            # In this order: what Python still holds of Java's objects must not be told to a Java that is gone.
            gateway.shutdown()
            _end_java(gateway)
            SparkContext._gateway = None
            SparkContext._jvm = None


def stop_whatever_runs() -> None:
    """Stops the session of this process, if there is one, in whatever state an error has left it."""
    context = SparkContext._active_spark_context
    if context is not None:
        with contextlib.suppress(Exception):
            stop_session(SparkSession(context))
    end_java_at_once()


def end_java_at_once() -> None:
    """Ends the Java process of this process without waiting for its work: after Ctrl-C, or a request to end."""
    for gateway in _started:
        _end_java(gateway)


def driver_memory(total_bytes: int) -> str:
    """Memory of the driver: a quarter of the machine's, between 2 and 8 GiB.

    >>> driver_memory(16 * GIB)
    '4096m'
    """
    return f"{min(max(total_bytes // 4, 2 * GIB), 8 * GIB) // 1024**2}m"


def _settings(warehouse: str | Path) -> dict[str, str]:
    folder = Path(warehouse) if str(warehouse) else Path(tempfile.gettempdir(), f"spark-{uuid.uuid4().hex}")
    log_level = os.environ.get("PINTEREST_SPARK_LOG", "off")
    return {
        **_FIXED,
        "spark.master": "local[*]",
        "spark.sql.shuffle.partitions": str(max(2, os.cpu_count() or 2)),
        "spark.sql.warehouse.dir": folder.absolute().as_uri(),
        "spark.driver.memory": driver_memory(_machine_memory()),
        "spark.driver.extraClassPath": os.pathsep.join(str(jar) for jar in delta_jars()),
        "spark.driver.extraJavaOptions": f"{_CODE_CACHE} {_LARGE_METHODS} {_COLLECTOR} {_CLASSES} "
        f"-Dlog4j2.configurationFile={_LOG_SETTINGS.as_uri()} "
        f"-Dpinterest.log={log_level if log_level.isalpha() else 'off'}",
    }


def _machine_memory() -> int:
    """Bytes of memory this process may have: the machine's, or the container's if that is less."""
    total: int = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = Path("/sys/fs/cgroup/memory.max")
    text = limit.read_text(encoding="ascii").strip() if limit.is_file() else ""
    return min(total, int(text)) if text.isdigit() else total


def _prepare_environment() -> None:
    """Makes Java's side use this Python, this pyspark and this library, whatever else is installed."""
    for name in _LOGGERS:
        PySparkLogger.getLogger(name).disabled = True
    os.environ["PYSPARK_PYTHON"] = os.environ["PYSPARK_DRIVER_PYTHON"] = sys.executable
    os.environ["SPARK_HOME"] = str(Path(pyspark.__file__).parent)
    paths = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    os.environ["PYTHONPATH"] = os.pathsep.join(dict.fromkeys([*_SOURCES, *filter(None, paths)]))


@contextlib.contextmanager
def _output_passed_on() -> Iterator[int]:
    """Where Java may print: passed on to standard error, without noise. Standard output is for answers only."""
    end_to_read, end_to_write = os.pipe()

    def pass_on() -> None:
        # Closed streams: this process is about to end, and nobody reads any more.
        with os.fdopen(end_to_read, "rb") as lines, contextlib.suppress(ValueError, OSError):
            for line in lines:
                if not line.startswith(_NOISE):
                    sys.stderr.write(line.decode("utf-8", "replace"))

    threading.Thread(target=pass_on, daemon=True, name="java-output").start()
    try:
        yield end_to_write
    finally:
        os.close(end_to_write)


@contextlib.contextmanager
def _signals_held() -> Iterator[None]:
    """Ctrl-C and a request to end wait until Java, half started, can be ended too; the second one does not wait."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    held: list[int] = []

    def hold(number: int, _frame: FrameType | None) -> None:
        if held:
            raise KeyboardInterrupt
        held.append(number)

    before = {number: signal.signal(number, hold) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if held:
        signal.raise_signal(held[0])


def _end_java(gateway: Gateway) -> None:
    java = gateway.proc
    if java.poll() is None:
        java.terminate()
        try:
            java.wait(timeout=10)
        except subprocess.TimeoutExpired:
            java.kill()
            java.wait()
