"""The Java process of a Spark session: started directly, within a time limit, and ended with all that it started.

Spark's own start script would read the settings of whatever Spark the environment names, start a second Java to build
a command line, show every setting (keys of buckets too) in the list of processes, and wait for ever for a Java that
does not start.
"""

import contextlib
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, cast

import pyspark
from py4j.java_gateway import JavaGateway  # type: ignore[import-untyped]
from py4j.protocol import Py4JError  # type: ignore[import-untyped]
from pyspark.java_gateway import launch_gateway
from pyspark.serializers import UTF8Deserializer, read_int

from local.runtime.java import JavaError, check_java, end_process, start_process
from local.runtime.spark_environment import build_identity_options, make_user_name, set_spark_environment
from pinterest_transforms.error_format import clean_text, one_line

START_SECONDS = 300
_POLL_SECONDS = 0.05
_LINES_QUOTED, _LINES_KEPT = 2, 1000
SPARK_JARS = Path(pyspark.__file__).parent / "jars" / "*"
MAIN_CLASS = "org.apache.spark.api.python.PythonGatewayServer"
_PACKAGES = ("lang", "lang.invoke", "lang.reflect", "io", "net", "nio", "util", "util.concurrent")
_INTERNAL_PACKAGES = ("jdk.internal.ref", "sun.nio.ch", "sun.nio.cs", "sun.security.action", "sun.util.calendar")
# Spark's own start script gives these; a test compares them with its list.
MODULE_OPTIONS = (
    *(f"--add-opens=java.base/java.{name}=ALL-UNNAMED" for name in (*_PACKAGES, "util.concurrent.atomic")),
    *(f"--add-opens=java.base/{name}=ALL-UNNAMED" for name in _INTERNAL_PACKAGES),
    "--add-opens=java.security.jgss/sun.security.krb5=ALL-UNNAMED",
    "-Djdk.reflect.useDirectMethodHandle=false",
    "-Dio.netty.tryReflectionSetAccessible=true",
    "-Dio.netty.allocator.type=pooled",
    "-Dio.netty.handler.ssl.defaultEndpointVerificationAlgorithm=NONE",
    "--enable-native-access=ALL-UNNAMED",
)
# What Java prints at its start, and Delta for each VACUUM; no setting turns it off.
_NOISE = ("Picked up JAVA_TOOL_OPTIONS", "Deleted ")


class JavaProcess:
    """One Java process, from its start on.

    Attributes:
        build: exact version of its Java; empty if it prints none.
    """

    def __init__(self, options: Sequence[str], class_path: str) -> None:
        """Starts it.

        Args:
            options: of Java, before the class.
            class_path: jars besides Spark's own.

        Raises:
            JavaError: if there is no Java that Spark runs on.
        """
        jars = os.pathsep.join([class_path, str(SPARK_JARS)])
        identity = [*build_identity_options(), "-Dfile.encoding=UTF-8"]
        java, self.build = check_java()
        command = [java, "-cp", jars, *MODULE_OPTIONS, *identity, *options, MAIN_CLASS]
        self._folder = tempfile.TemporaryDirectory(prefix="spark-start-")
        self._connection_file = Path(self._folder.name, "connection")
        self.process = start_process(
            command,
            output=subprocess.PIPE,
            # Java ends when the other end of this pipe is closed: at any death of this process.
            stdin=subprocess.PIPE,
            environment=set_spark_environment() | {"_PYSPARK_DRIVER_CONN_INFO_PATH": str(self._connection_file)},
        )
        self._output = _Output(cast(IO[bytes], self.process.stdout))

    def connect(self) -> JavaGateway:
        """The connection to it, once its port is known.

        Raises:
            JavaError: if it ended.
        """
        while not self._connection_file.is_file():
            if self.process.poll() is not None:
                raise JavaError(f"Spark's Java must start, and ended with {self.process.returncode}: {self._output}")
            time.sleep(_POLL_SECONDS)
        with self._connection_file.open("rb") as file:
            names = ("PYSPARK_GATEWAY_PORT", "PYSPARK_GATEWAY_SECRET")
            values = (str(read_int(file)), UTF8Deserializer().loads(file))  # type: ignore[no-untyped-call]
        self._folder.cleanup()
        os.environ.update(zip(names, values, strict=True))
        try:
            gateway = launch_gateway()  # type: ignore[no-untyped-call]
        finally:
            for name in names:
                del os.environ[name]
        gateway.proc = self.process
        self._output.pass_on()
        if name := make_user_name():
            # Hadoop asks the system, which has no name for this user, unless one is set.
            user = gateway.jvm.org.apache.hadoop.security.UserGroupInformation
            user.setLoginUser(user.createRemoteUser(name))
        return gateway

    @contextlib.contextmanager
    def start_limit(self, seconds: float = START_SECONDS) -> Iterator[None]:
        """Ends Java if the body takes longer, or fails.

        Raises:
            JavaError: if it took longer, or Java could not do it.
        """
        expired = threading.Event()

        def expire() -> None:
            expired.set()
            self.end()

        timer = threading.Timer(seconds, expire)
        timer.daemon = True
        timer.start()
        try:
            yield
        except BaseException as error:
            timer.cancel()
            is_late = expired.is_set()
            # Before Java ends: its exceptions have no text any more after that.
            reason = "" if is_late else one_line(error)
            self.end()
            if is_late:
                raise JavaError(f"Spark must start within {seconds:g} s, and did not: {self._output}") from None
            if isinstance(error, Py4JError):
                raise JavaError(f"Spark must start, and did not: {reason}") from None
            raise
        timer.cancel()

    def end(self) -> None:
        """Ends it; returns when it is gone."""
        end_process(self.process)
        self._folder.cleanup()


class _Output:
    """What Java prints: kept while it starts, then passed on to standard error. Standard output is for answers only."""

    def __init__(self, printed: IO[bytes]) -> None:
        self._printed, self._lines, self._passed_on = printed, list[str](), False
        self._lock = threading.Lock()
        self._reader = threading.Thread(target=self._read, daemon=True, name="java-output")
        self._reader.start()

    def __str__(self) -> str:
        """The first lines, for a message."""
        # What an ended process has printed is read in no time; one that hangs may print more.
        self._reader.join(timeout=1)
        with self._lock:
            lines = [line.strip() for line in self._lines[:_LINES_QUOTED]]
        return clean_text(" ".join(lines)) or "it printed nothing"

    def pass_on(self) -> None:
        """From now on every line goes to standard error, those kept first."""
        with self._lock, contextlib.suppress(ValueError, OSError):
            self._passed_on = True
            sys.stderr.writelines(self._lines)

    def _read(self) -> None:
        # Closed streams: this process is about to end, and nobody reads any more.
        with self._printed, contextlib.suppress(ValueError, OSError):
            for printed in self._printed:
                line = printed.decode("utf-8", "replace")
                with self._lock:
                    if line.startswith(_NOISE):
                        continue
                    if self._passed_on:
                        sys.stderr.write(line)
                    elif len(self._lines) < _LINES_KEPT:
                        self._lines.append(line)
