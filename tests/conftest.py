"""Sessions that every test shares: a classic one, and a Spark Connect one in the same Java process."""

import gc
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest
from pyspark.sql import SparkSession

from local.runtime.spark_session import start_local_session, stop_session
from pinterest_transforms.logs import LOGGER
from tests.support.interpreting import interpreting
from tests.support.notebook_runs import Ran, run_batch_notebooks
from tests.support.spark_connect import connect_mode, connect_session

pytest_plugins = ["tests.support.aws_models", "tests.support.place_fixtures"]

InZone = Callable[[SparkSession, str], AbstractContextManager[None]]

# What is imported to collect the tests stays: looking through it for garbage takes a quarter of the collection's time.
# (A hook of the collection in this file would come between pytest-xdist and its groups.)
gc.disable()

# Many small jobs, each compiled once: Java's optimising compiler costs more here than it saves.
os.environ.setdefault("JAVA_TOOL_OPTIONS", "-XX:TieredStopAtLevel=1")

TEST_SETTINGS = {
    "spark.master": "local[2]",
    "spark.sql.shuffle.partitions": "2",
    "spark.driver.memory": "2g",
}


@pytest.fixture(autouse=True)
def _unconfigured_log() -> None:
    """No test sees the log that a notebook before it in this process has configured."""
    logger = logging.getLogger(LOGGER)
    logger.handlers.clear()
    logger.propagate = True
    logger.setLevel(logging.NOTSET)


# A file goes to one of two workers as a whole. These take longest: begun last, they would leave the other idle.
LONG = (
    "test_notebooks",
    "test_erasure",
    "test_undo",
    "test_streams",
    "test_delta_effects",
    "test_answers_recomputed",
    "test_answer_cases",
    "test_maintenance",
    "test_answer_tables",
    "test_landing",
    "test_commits",
    "test_stream_checkpoints",
    "test_processes",
    "test_stream_kills",
    "test_cluster",
    "test_micro_batches",
    "test_quality_gate",
    "test_stream_command",
    "test_cleaning",
    "test_rebuilds",
    "test_bad_input",
    "test_kinesis_source",
    "test_workspace_smoke",
    "test_micro_batch_search",
    "test_undo_search",
    "test_send_errors",
    "test_send_command",
    "test_infrastructure_destroy",
)


# A file's tests run on one worker, and so do those of several files that share what takes long to make.
GROUPS = {
    "test_dashboard_figures": "test_notebooks",
    "test_explanation": "test_notebooks",
    "test_airflow_batch_job": "test_run_batch_job",
    # One worker imports the SDK, which takes a second: these files import what needs it in their tests.
    "test_workspace_column_tags": "test_workspace_smoke",
    "test_workspace_connection": "test_workspace_smoke",
    "test_workspace_key_constraints": "test_workspace_smoke",
    "test_workspace_secrets": "test_workspace_smoke",
    "test_workspace_set_up": "test_workspace_smoke",
}


# What starts Java, or asks for one of these, is left out of `make test-fast`.
NEED_JAVA = {"spark", "connect", "either"}


@pytest.hookimpl(tryfirst=True)  # before `-m` chooses
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first; the rest, and the tests in a file, as they are. Those that need Spark are marked ``java``."""

    def group(item: pytest.Item) -> str:
        return GROUPS.get(item.path.stem, item.path.stem)

    items.sort(key=lambda item: LONG.index(group(item)) if group(item) in LONG else len(LONG))
    for item in items:
        item.add_marker(pytest.mark.xdist_group(group(item)))
        if NEED_JAVA & set(getattr(item, "fixturenames", ())):
            item.add_marker("java")


def pytest_collection_finish() -> None:
    """Garbage is looked for again, in what the tests make."""
    gc.freeze()
    gc.enable()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[object]:
    """pyspark decides by process whether F.col() is classic or Connect: a test that asks for `connect` gets Connect."""
    asks = "connect" in getattr(item, "fixturenames", ())
    chosen = getattr(getattr(item, "callspec", None), "params", {}).values()
    with connect_mode(asks or "connect" in [value for value in chosen if isinstance(value, str)]):
        return (yield)


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    """A classic local session."""
    with connect_mode(False):
        session = start_local_session(tmp_path_factory.mktemp("spark"), app_name="tests", extra=TEST_SETTINGS)
    yield session
    with connect_mode(False):
        stop_session(session)


@pytest.fixture(scope="module")
def interpreted(spark: SparkSession) -> Iterator[SparkSession]:
    """The classic session, interpreting its plans for as long as the module lasts."""
    with interpreting(spark):
        yield spark


@pytest.fixture(scope="session")
def ran(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """The batch notebooks, run over 300 dirty posts; whoever uses their tables leaves them as they are."""
    with interpreting(spark):
        return run_batch_notebooks(spark, tmp_path_factory.mktemp("notebooks"))


@pytest.fixture(scope="session")
def connect(spark: SparkSession) -> Iterator[SparkSession]:
    """A Spark Connect session, as serverless compute and databricks-connect give it. It interprets its plans."""
    session = connect_session(spark)
    with interpreting(session):
        yield session
    with connect_mode():
        session.stop()


@pytest.fixture(params=["classic", "connect"])
def either(request: pytest.FixtureRequest) -> SparkSession:
    """The test runs twice: on a classic session, and on a Connect one."""
    return request.getfixturevalue("spark" if request.param == "classic" else "connect")


@pytest.fixture(scope="session")
def in_zone() -> InZone:
    """While it lasts, the session's time zone is another one."""

    @contextmanager
    def change(session: SparkSession, zone: str) -> Iterator[None]:
        before = session.conf.get("spark.sql.session.timeZone")
        session.conf.set("spark.sql.session.timeZone", zone)
        try:
            yield
        finally:
            session.conf.set("spark.sql.session.timeZone", str(before))

    return change
