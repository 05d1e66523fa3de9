import contextlib
import errno
import io
import json
import os
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import NoReturn

import psutil
import pytest
from pyspark.sql import SparkSession

from local.cli import local_cli
from local.cli.batch_command import check_batch, run_batch
from local.cli.command_options import build_parser
from local.notebooks.display import Screen
from local.notebooks.notebook_runner import Runner
from pinterest_transforms.settings import DEFAULT_USER_ID
from tests.local.cli.local_commands import PROJECT, command, run
from tests.local.conftest import Call

ENDLESS = "SELECT id FROM range(0, 100000000000, 1, 100000)"


@pytest.fixture(scope="module")
def warehouse(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    # A folder's name may have anything in it that Spark, Java, SQL and URLs take for something else.
    folder = tmp_path_factory.mktemp("warehouse") / 'it\'s "ä日🎉" [x]{a,b} 50%20 #?*+\\$1`;&=:~'
    pins = spark.sql("SELECT 7166L AS ind, '日本 🎉' AS title, TIMESTAMP'2020-08-28 03:52:47Z' AS seen")
    pins.write.format("delta").save(f"{folder}/pinterest/pins")
    spark.range(3).write.format("delta").save(f"{folder}/other/things")
    (folder / "_checkpoints" / "batch").mkdir(parents=True)
    return folder


@pytest.mark.parametrize(
    ("arguments", "code", "line"),
    [
        (
            "batch --landing none --warehouse w",
            2,
            "error: landing must be a folder that holds topics/, got '{folder}/none'",
        ),
        (
            "batch --landing {folder} --warehouse w",
            2,
            "error: landing must be a folder that holds topics/, got '{folder}'",
        ),
        (
            "batch --landing l --warehouse w --user-id x;",
            2,
            "error: user_id must be 3 to 32 of a-z and 0-9, got 'x;'",
        ),
        (
            "batch --landing l --warehouse l/file --user-id xyz",
            2,
            "error: warehouse must be where files can be written, got {folder}/l/file: File exists",
        ),
        (
            "batch --landing l --warehouse w --user-id abc123",
            2,
            "error: landing must hold topics abc123.pin, .geo or .user, got xyz.pin",
        ),
        (
            "batch --landing l --warehouse l --user-id xyz",
            2,
            "error: warehouse must be another folder than the landing, got {folder}/l for both",
        ),
        (
            "batch --landing l --warehouse w --user-id xyz --report l",
            2,
            "error: report must be a file, got the folder {folder}/l",
        ),
        (
            "batch --landing l --warehouse l/file/w --user-id xyz",
            2,
            "error: warehouse must be where files can be written, got {folder}/l/file/w: Not a directory",
        ),
        (
            "batch --landing l --warehouse w --user-id xyz --report l/file/report.html",
            2,
            "error: report must be where files can be written, got {folder}/l/file/report.html: File exists",
        ),
        (
            "batch --landing= --warehouse w",
            2,
            "error: argument --landing: must be a path, got '' (see python -m local batch --help)",
        ),
        ("sql SELECT/**/1 --warehouse none", 2, "error: warehouse must be an existing folder, got {folder}/none"),
        ("sql SELECT/**/1 --warehouse l", 2, "error: warehouse must hold tables, got none in {folder}/l"),
        ("sql SELECT/**/1;SELECT/**/2 --warehouse l", 2, "error: query must be one statement, got 2"),
        (
            "sql DROP/**/TABLE/**/pins --warehouse l",
            2,
            "error: query must start with one of SELECT, WITH, VALUES, FROM, TABLE, DESCRIBE, DESC, SHOW, EXPLAIN, "
            "got 'DROP'",
        ),
    ],
)
def test_what_a_user_gets_wrong_is_one_line(call: Call, tmp_path: Path, arguments: str, code: int, line: str) -> None:
    (tmp_path / "l" / "topics" / "xyz.pin").mkdir(parents=True)
    (tmp_path / "l" / "file").touch()

    got = call(*arguments.format(folder=tmp_path).split())

    assert got == (code, "", line.format(folder=tmp_path) + "\n")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["l"]


def test_a_warehouse_on_a_read_only_file_system_is_one_line(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> NoReturn:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    (tmp_path / "l" / "topics" / "xyz.pin").mkdir(parents=True)
    (tmp_path / "w").mkdir()
    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)

    code, out, err = call("batch", "--landing", "l", "--warehouse", "w", "--user-id", "xyz")

    assert (code, out) == (2, "")
    assert err == f"error: warehouse must be where files can be written, got {tmp_path}/w: Read-only file system\n"


def test_a_wrong_option_is_one_line(call: Call) -> None:
    code, out, err = call("batch", "--landing", "x")

    assert (code, out) == (2, "")
    assert err == "error: the following arguments are required: --warehouse (see python -m local batch --help)\n"


def test_no_java_is_one_line(warehouse: Path, tmp_path: Path) -> None:
    query = ("sql", "SELECT 1", "--warehouse", str(warehouse))

    code, out, err = run(*query, folder=tmp_path, JAVA_HOME=str(tmp_path))

    assert (code, out) == (1, "")
    assert err == (
        f"error: Java 17 or 21 is needed, and no java was found: JAVA_HOME is {tmp_path}, which has no bin/java\n"
    )


# Of another Spark, another Hadoop and another Java: any of them would change or stop the session.
FOREIGN = {
    "PYSPARK_SUBMIT_ARGS": "--version",
    "PYSPARK_GATEWAY_PORT": "1",
    "PYSPARK_PYTHON": "/no/such/python",
    "SPARK_HOME": "/no/such/spark",
    "SPARK_CONF_DIR": "{conf}",
    "HADOOP_CONF_DIR": "{conf}",
    "SPARK_REMOTE": "sc://127.0.0.1:1",
    "SPARK_CONNECT_MODE_ENABLED": "1",
    "SPARK_LOCAL_IP": "10.255.255.1",
    "SPARK_LOCAL_DIRS": "/no/such/folder",
    "JDK_JAVA_OPTIONS": "--version",
    "_JAVA_OPTIONS": "-Xmx100000g",
    "PYTHONPATH": "{conf}:{conf}/py4j-0.10.9.7-src.zip:{project}",
    "JAVA_TOOL_OPTIONS": "-javaagent:/no/such.jar -XX:+UseG1GC -XX:TieredStopAtLevel=1",
}


def test_rows_are_all_that_is_printed_and_ctrl_c_leaves_no_java(warehouse: Path, tmp_path: Path) -> None:
    rows = "SELECT p.*, t.id FROM pins p JOIN other.things t ON t.id = 2"
    query = f"{rows} UNION ALL SELECT id, '', NULL, 0 FROM ({ENDLESS})"
    conf = tmp_path / "conf"
    conf.mkdir()
    (conf / "spark-defaults.conf").write_text("spark.master yarn\nspark.sql.session.timeZone Asia/Tokyo\n")
    (conf / "core-site.xml").write_text(
        "<configuration><property><name>fs.defaultFS</name><value>hdfs://no.such:1</value></property></configuration>"
    )
    (conf / "pyspark").mkdir()
    (conf / "pyspark" / "__init__.py").write_text("raise ImportError('another Spark')")
    (conf / "py4j-0.10.9.7-src.zip").write_bytes(b"")
    foreign = {name: value.format(conf=conf, project=PROJECT) for name, value in FOREIGN.items()}

    # Whatever the terminal can show: data goes out as UTF-8.
    with command(
        "sql", query, "--warehouse", os.path.relpath(warehouse, tmp_path), "--format", "jsonl",
        folder=tmp_path, LC_ALL="C", PYTHONIOENCODING="ascii", TZ="America/New_York", **foreign,
    ) as process:  # fmt: skip
        assert process.stdout
        java = _java(process.pid)
        first = process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=120)

    assert (process.returncode, err) == (130, "")
    assert json.loads(first) == {"ind": 7166, "title": "日本 🎉", "seen": "2020-08-28T03:52:47Z", "id": 2}
    _, alive = psutil.wait_procs([java], timeout=15)
    assert alive == []
    assert list(tmp_path.iterdir()) == [conf]
    assert list(warehouse.parent.iterdir()) == [warehouse]
    assert sorted(entry.name for entry in warehouse.iterdir()) == ["_checkpoints", "other", "pinterest"]


@pytest.mark.usefixtures("own_catalog")
def test_a_query_of_what_is_not_there_is_one_line(call: Call, warehouse: Path) -> None:
    code, out, err = call("sql", "SELECT * FROM users", "--warehouse", str(warehouse))

    assert (code, out) == (2, "")
    assert err.startswith("error: [TABLE_OR_VIEW_NOT_FOUND] The table or view `users` cannot be found.")
    assert err.count("\n") == 1


@pytest.fixture
def ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a command would end its process at once, it is left."""
    monkeypatch.setattr(local_cli, "_end_at_once", sys.exit)


@pytest.mark.usefixtures("own_catalog", "ended")
def test_an_output_that_cannot_be_written_is_one_line(
    call: Call, warehouse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with contextlib.suppress(OSError), Path("/dev/full").open("w") as full:
        monkeypatch.setattr(sys, "stdout", full)

        code, _, err = call("sql", "VALUES (1)", "--warehouse", str(warehouse))

    assert (code, err) == (1, "error: OSError: [Errno 28] No space left on device\n")


@pytest.mark.usefixtures("own_catalog", "ended")
def test_a_reader_that_has_had_enough_ends_it_quietly(
    call: Call, warehouse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    end_to_read, end_to_write = os.pipe()
    os.close(end_to_read)
    with contextlib.suppress(BrokenPipeError), os.fdopen(end_to_write, "w") as out:
        monkeypatch.setattr(sys, "stdout", out)

        code, _, err = call("sql", "SELECT id FROM range(100000)", "--warehouse", str(warehouse), "--format", "csv")

    assert (code, err) == (0, "")


def _java(parent: int) -> psutil.Process:
    """The Java process that Spark runs in, as soon as it is there."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        for child in psutil.Process(parent).children(recursive=True):
            with contextlib.suppress(psutil.Error):
                if "org.apache.spark.api.python.PythonGatewayServer" in child.cmdline():
                    return child
        time.sleep(0.05)
    raise AssertionError("Spark did not start")


@pytest.fixture
def notebooks(tmp_path: Path) -> Path:
    """Three notebooks that tell the parameters they get."""
    widgets = {
        "mount_s3": ("access", "landing", "user_id"),
        "clean_batch": ("catalog", "schema", "landing", "user_id", "run_id", "warehouse", "rebuild"),
        "analyse": ("leg", "catalog", "schema", "user_id", "warehouse"),
    }
    folder = tmp_path / "notebooks"
    folder.mkdir()
    for name, names in widgets.items():
        cells = [
            "# Databricks notebook source",
            *(f"dbutils.widgets.text({widget!r}, '')" for widget in names),
            f"print({name!r}, *(dbutils.widgets.get(n) for n in {[n for n in names if n != 'run_id']!r}))",
            f"dbutils.notebook.exit({('/mounted' if name == 'mount_s3' else '')!r})",
        ]
        (folder / f"{name}.py").write_text("\n".join(cells), encoding="utf-8")
    return folder


def test_a_batch_runs_the_notebooks_with_their_parameters(notebooks: Path, tmp_path: Path) -> None:
    (tmp_path / "topics" / f"{DEFAULT_USER_ID}.pin").mkdir(parents=True)
    out, told = io.StringIO(), []
    places = ["--landing", str(tmp_path), "--warehouse", str(tmp_path / "w"), "--user-id", DEFAULT_USER_ID]
    batch = build_parser().parse_args(["batch", *places, "--rebuild"])

    run_batch(Runner(None, Screen(out), progress=told.append), check_batch(batch), batch, notebooks)  # type: ignore[arg-type]

    assert out.getvalue().splitlines() == [
        f"mount_s3 volume {tmp_path} {DEFAULT_USER_ID}",
        f"clean_batch spark_catalog pinterest /mounted {DEFAULT_USER_ID} {tmp_path}/w true",
        f"analyse batch spark_catalog pinterest {DEFAULT_USER_ID} {tmp_path}/w",
    ]
    assert told == ["mount_s3: cell 1 of 1", "clean_batch: cell 1 of 1", "analyse: cell 1 of 1"]


def test_an_entity_must_be_one(call: Call) -> None:
    code, _, err = call("stream", "--endpoint", "aws", "--warehouse", "w", "--entity", "pins")

    assert (code, err.count("\n")) == (2, 1)
    assert err.startswith("error: argument --entity: invalid choice: 'pins' (choose from ")
