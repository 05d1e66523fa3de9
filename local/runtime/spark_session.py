"""A Spark session on one machine, set up like the platform's where it matters: Delta, UTC; quiet, and loopback only."""

import atexit
import contextlib
import os
import signal
import sys
import tempfile
import threading
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path

from pyspark import SparkConf, SparkContext
from pyspark.logger import PySparkLogger
from pyspark.sql import SparkSession

from local.runtime.jars import JAR_FOLDER, fetch_delta_jars
from local.runtime.java import kill_java
from local.runtime.spark_java_process import JavaProcess

GIB = 1024**3
CLASS_ARCHIVE = JAR_FOLDER / "classes.jsa"
"""Spark's classes for a quicker start, as ``class_archive`` writes them."""
_ARCHIVE_HEADER_BYTES = 4096
_LOG_SETTINGS = Path(__file__).with_name("log4j2.properties")
# Spark's generated code fills the default, and then nothing more is compiled.
_CODE_CACHE = "-XX:ReservedCodeCacheSize=512m"
# A batch wants its work done soon, and no short pauses.
_COLLECTOR = "-XX:+UseParallelGC"
# Spark's classes outgrow the default many times over, and each time everything is collected: a dozen times a run.
_CLASSES = "-XX:MetaspaceSize=512m"
_FIXED = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    "spark.sql.catalogImplementation": "in-memory",
    "spark.sql.session.timeZone": "UTC",
    "spark.databricks.delta.snapshotPartitions": "2",
    "spark.sql.sources.parallelPartitionDiscovery.parallelism": "2",
    # A batch has more pieces of generated code than the default keeps (100): each was compiled again in each batch.
    "spark.sql.codegen.cache.maxEntries": "5000",
    # Each aggregation and sort of a task takes a page at least; by default 64 MiB, cleared first and kept for the next.
    "spark.buffer.pageSize": "4m",
    # Spelling out each plan for a page that is off takes time, and noting each call's place in Python half of planning.
    "spark.sql.ui.explainMode": "simple",
    "spark.sql.dataFrameQueryContext.enabled": "false",
    "spark.python.sql.dataFrameDebugging.enabled": "false",
    # Of a local file only the checksums in the file itself are written and checked; see _use_no_checksum_files.
    "spark.hadoop.parquet.page.verify-checksum.enabled": "true",
    "spark.hadoop.fs.AbstractFileSystem.file.impl": "org.apache.hadoop.fs.local.RawLocalFs",
    # Hadoop starts a process for each file it makes or renames, and for its checksum file: `chmod`, `readlink`. This
    # class renames without.
    "spark.sql.streaming.checkpointFileManagerClass": "org.apache.spark.sql.execution.streaming.checkpointing."
    "FileSystemBasedCheckpointFileManager",
    # A file costs little to open here. By default each counts as 4 MiB, which makes a task of every 32 small files:
    # twice the memory and half as much time again for a landing of one record per file.
    "spark.sql.files.openCostInBytes": "65536",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.connect.grpc.binding.address": "127.0.0.1",
    "spark.connect.grpc.binding.port": "0",
}


# pyspark logs what it also raises.
_LOGGERS = ("SQLQueryContextLogger", "DataFrameQueryContextLogger")


def start_local_session(
    warehouse: str | Path,
    *,
    app_name: str = "pinterest",
    extra: Mapping[str, str] | None = None,
    java_options: Sequence[str] = (),
) -> SparkSession:
    """A session on this machine; the one that already runs in this process, if there is one.

    Args:
        warehouse: folder of the tables, and of those that are made without naming a place; made where it is not
            there. Empty for a temporary one.
        app_name: name of the application.
        extra: Spark settings that win over the ones made here.
        java_options: options of Java besides the ones made here.

    Raises:
        JavaError: if there is no Java that Spark runs on.
        JarError: if Delta's jars are not there and cannot be fetched.
    """
    running = SparkContext._active_spark_context
    if running is not None:
        return SparkSession(running)
    for name in _LOGGERS:
        PySparkLogger.getLogger(name).disabled = True
    settings = {**_spark_settings(warehouse), **(extra or {})}
    conf = SparkConf(loadDefaults=False)
    conf.setAppName(app_name)
    conf.setAll(list(settings.items()))
    handler = signal.getsignal(signal.SIGINT)
    options = [*_java_options(settings["spark.driver.memory"]), *java_options]
    java = JavaProcess(options, settings["spark.driver.extraClassPath"])
    if line := format_unused_archive(CLASS_ARCHIVE, java.build):
        print(line, file=sys.stderr)
    atexit.register(java.end)
    with java.start_limit():
        context = SparkContext(conf=conf, gateway=java.connect())
        _use_no_checksum_files(context)
    if threading.current_thread() is threading.main_thread():
        # pyspark has replaced it.
        signal.signal(signal.SIGINT, handler)
    return SparkSession(context)


def is_running() -> bool:
    """Whether this process has a session."""
    return SparkContext._active_spark_context is not None


def stop_session(spark: SparkSession) -> None:
    """Stops a session of this process and its Java process; returns when it is gone."""
    gateway = SparkContext._gateway
    try:
        spark.stop()
    finally:
        if gateway is not None:
            # In this order: what Python still holds of Java's objects must not be released in a Java that is gone.
            gateway.shutdown()
            kill_java()
            SparkContext._gateway = None
            SparkContext._jvm = None


def stop_running_session() -> None:
    """Stops the session of this process, if there is one, in whatever state an error has left it."""
    context = SparkContext._active_spark_context
    if context is not None:
        with contextlib.suppress(Exception):
            stop_session(SparkSession(context))
    kill_java()


def choose_driver_memory(total_bytes: int) -> str:
    """Memory of the driver: a quarter of the machine's, between 2 and 8 GiB.

    >>> choose_driver_memory(16 * GIB)
    '4096m'
    """
    return f"{min(max(total_bytes // 4, 2 * GIB), 8 * GIB) // 1024**2}m"


def _spark_settings(warehouse: str | Path) -> dict[str, str]:
    folder = Path(warehouse) if str(warehouse) else Path(tempfile.gettempdir(), f"spark-{uuid.uuid4().hex}")
    return {
        **_FIXED,
        "spark.master": "local[*]",
        "spark.sql.shuffle.partitions": str(max(2, os.cpu_count() or 2)),
        "spark.sql.warehouse.dir": str(folder.absolute()),
        "spark.driver.memory": choose_driver_memory(_machine_memory()),
        "spark.driver.extraClassPath": os.pathsep.join(str(jar) for jar in fetch_delta_jars()),
    }


def _java_options(memory: str) -> list[str]:
    log_level = os.environ.get("PINTEREST_SPARK_LOG", "off")
    return [
        f"-Xmx{memory}",
        *_class_archive_options(CLASS_ARCHIVE),
        *(_CODE_CACHE, _COLLECTOR, _CLASSES),
        f"-Dlog4j2.configurationFile={_LOG_SETTINGS.as_uri()}",
        f"-Dpinterest.log={log_level if log_level.isalpha() else 'off'}",
    ]


def _class_archive_options(archive: Path) -> list[str]:
    """Options that let Java map the archive; one of another Java or of other jars is passed over, without a word."""
    if not archive.is_file():
        return []
    return [f"-XX:SharedArchiveFile={archive}", "-Xshare:auto", "-Xlog:disable", "-Xlog:all=error:stderr"]


def format_unused_archive(archive: Path, build: str) -> str:
    """A line about an archive that Java passes over since another Java has written it; empty if there is none.

    Args:
        archive: the archive, whose first bytes name the Java that has written it.
        build: exact version of the Java that starts; nothing is known of one that prints none.
    """
    if not build or not archive.is_file():
        return ""
    with archive.open("rb") as file:
        header = file.read(_ARCHIVE_HEADER_BYTES)
    if f"({build})".encode() in header:
        return ""
    return f"{archive.name} is not of this Java ({build}), so it starts slower; python -m local classes writes it again"


def _use_no_checksum_files(context: SparkContext) -> None:
    """Local files are read whatever is in a checksum file beside them, and written without one.

    A landing is written by other programs, which leave the checksum file of an earlier object where it is. Data files
    of tables hold checksums of their pages.
    """
    jvm = context._jvm
    file_system = jvm.org.apache.hadoop.fs.FileSystem.getLocal(context._jsc.hadoopConfiguration())  # type: ignore[union-attr]
    file_system.setVerifyChecksum(False)
    file_system.setWriteChecksum(False)


def _machine_memory() -> int:
    """Bytes of memory this process may have: the machine's, or the container's if that is less."""
    total: int = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = Path("/sys/fs/cgroup/memory.max")
    text = limit.read_text(encoding="ascii").strip() if limit.is_file() else ""
    return min(total, int(text)) if text.isdigit() else total
