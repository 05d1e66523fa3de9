"""A Spark Connect session on one machine: what databricks-connect and serverless compute give, without a workspace.

The server runs in the Java process of a classic session. pyspark dispatches its functions by an environment variable
of the process, so classic and Connect code take turns: ``connect_mode`` switches.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

from pyspark.sql import SparkSession

_SWITCH = "SPARK_CONNECT_MODE_ENABLED"


def connect_session(spark: SparkSession) -> SparkSession:
    """A new Connect session to a server in this classic session's Java process, on loopback and a free port."""
    from pyspark.sql.connect.session import SparkSession as RemoteSession

    service = getattr(spark._jvm.org.apache.spark.sql.connect.service, "SparkConnectService$")  # type: ignore[union-attr]
    server = getattr(service, "MODULE$")
    if not server.started():
        server.start(spark.sparkContext._jsc.sc())
    with connect_mode():
        remote = RemoteSession.builder.remote(f"sc://127.0.0.1:{server.localPort()}").create()
        remote.conf.set("spark.sql.session.timeZone", "UTC")
    return cast(SparkSession, remote)


@contextmanager
def connect_mode(enabled: bool = True) -> Iterator[None]:
    """While it lasts, ``pyspark.sql.functions`` makes columns for Connect sessions (or for classic ones)."""
    before = os.environ.get(_SWITCH)
    _switch("1" if enabled else None)
    try:
        yield
    finally:
        _switch(before)


def _switch(value: str | None) -> None:
    if value is None:
        os.environ.pop(_SWITCH, None)
    else:
        os.environ[_SWITCH] = value
