"""``python -m local stream``, called in this process: a source of its own, an endpoint, mistakes."""

import io
import re
import shutil
import signal
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from emulation.source.database import connect, write_source
from emulation.synthetic.generator import generate_rows
from local.cli.command_options import build_parser
from local.cli.step_progress import StepProgress
from local.cli.stream_command import run_stream, stop_on_signal
from local.kinesis.kinesis_emulator import serve_emulator
from local.notebooks.display import Screen
from local.notebooks.notebook_runner import Runner
from pinterest_transforms.entities import ENTITIES, USER
from pinterest_transforms.settings import Settings
from pinterest_transforms.tables import answer_tables
from tests.local.conftest import Call
from tests.support.controlled_kinesis import ControlledKinesis

SETTINGS = Settings(leg="stream")
POSTS = 20


def source(folder: Path) -> Path:
    file = folder / "source.db"
    write_source(connect(str(file)), ((entity, generate_rows(entity, POSTS, 3)) for entity in ENTITIES))
    return file


@pytest.mark.usefixtures("keys")
def test_a_source_goes_through_a_kinesis_of_its_own(
    call: Call, stream_tables: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, warehouse = source(tmp_path), tmp_path / "warehouse"
    shutil.copytree(stream_tables, warehouse / SETTINGS.schema)
    # The answers are computed and shown; how they are stored does not depend on the leg.
    monkeypatch.setattr(answer_tables, "_write", lambda _, answer, clean, __: answer.compute(clean).toPandas())
    given = ["stream", "--database", str(file), "--warehouse", str(warehouse), "--user-id", "abc"]
    code, out, err = call(*given)
    assert code == 0, err
    counted = {found[1]: int(found[2]) for found in re.finditer(r"streaming-abc-(\w+) +(\d+) +\2 ", out)}
    with connect(str(file)).connect() as connection:
        wanted = {
            e.name: connection.exec_driver_sql(f"SELECT count(*) FROM {e.source_table}").scalar() for e in ENTITIES
        }
    assert counted == wanted
    assert "Which category is the most popular in each country?" in out
    assert re.search(r"sent \d+, acknowledged \d+, retried 0, failed 0", err)
    code, _, err = call(*given)
    assert (code, err) == (
        2,
        f"error: warehouse must have no streams yet where --database is sent to new ones, got some in {warehouse}\n",
    )


def test_a_rebuild_needs_no_kinesis_and_takes_the_raw_records_of_one_entity(tmp_path: Path) -> None:
    names = ("catalog", "user_id", "entity", "run_id", "warehouse", "region", "endpoint", "trigger")
    cells = [f"dbutils.widgets.text({name!r}, '')" for name in (*names, "rebuild")]
    told = "print(*(dbutils.widgets.get(n) for n in ('entity', 'endpoint', 'region', 'rebuild')), sep=',')"
    (tmp_path / "stream_kinesis.py").write_text("\n".join(["# Databricks notebook source", *cells, told]))
    out = io.StringIO()
    options = build_parser().parse_args(["stream", "--warehouse", "w", "--entity", "user", "--rebuild"])
    session = SimpleNamespace(dataSource=SimpleNamespace(register=lambda _: None))
    source = {"endpoint": "", "region": ""}
    run_stream(Runner(session, Screen(out)), SETTINGS, options, StepProgress(io.StringIO()), source, tmp_path)
    assert out.getvalue() == "user,,,true\n"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--database", "missing.db"], "database must be there, got missing.db"),
        (["--database", "x.db", "--endpoint", "http://127.0.0.1:1"], "not allowed with argument"),
        ([], "one of the arguments --database --endpoint --rebuild is required"),
        (["--endpoint", "aws", "--trigger", "soon"], "trigger must be available_now or a time such as '5 seconds'"),
        (["--endpoint", "aws", "--user-id", "x;"], "user_id must be 3 to 32 of a-z and 0-9, got 'x;'"),
    ],
)
def test_a_mistake_is_one_line(call: Call, given: list[str], said: str) -> None:
    code, out, err = call("stream", "--warehouse", "w", *given)
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert said in err
    assert err.count("\n") == 1


@pytest.mark.usefixtures("keys")
def test_a_stream_that_is_not_there_is_one_line(call: Call) -> None:
    with serve_emulator(ControlledKinesis()) as kinesis:
        kinesis.create(SETTINGS.stream(USER))
        given = ["stream", "--endpoint", kinesis.url, "--region", "eu-west-1", "--entity", "pin"]
        code, _, err = call(*given, "--warehouse", "w")
    assert code == 1
    wanted = ": stream streaming-12f6caff3559-pin must be there and readable, got ResourceNotFoundException"
    assert err.splitlines()[-1].endswith(wanted)


def test_a_stop_that_is_requested_while_streams_start_holds(tmp_path: Path) -> None:
    settings = Settings(leg="stream", warehouse=str(tmp_path))
    file = Path(settings.stop_file(USER))
    with stop_on_signal(settings) as received:
        signal.raise_signal(signal.SIGINT)
        for _ in range(2):  # streams that start remove an earlier run's request
            while not file.exists():
                time.sleep(0.05)
            file.unlink()
    assert received == [signal.SIGINT]
