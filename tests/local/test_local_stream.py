"""``python -m local stream`` as a user runs it: a source of its own, an endpoint, Ctrl-C, mistakes."""

import json
import re
import signal
import time
from pathlib import Path

import pytest

from emulation.source import connect, write_source
from emulation.synthetic import chunks
from local.kinesis_stand_in import serving
from pinterest_transforms.entities import ENTITIES, PIN, USER
from pinterest_transforms.ingest.kinesis import KinesisSourceConfig
from pinterest_transforms.settings import Settings
from tests.local.commands import command, run

SETTINGS = Settings(leg="stream")
KEYS = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
POSTS = 300


def source(folder: Path) -> Path:
    file = folder / "source.db"
    write_source(connect(str(file)), ((entity, chunks(entity, POSTS, 3)) for entity in ENTITIES))
    return file


def test_a_source_goes_through_a_kinesis_of_its_own(tmp_path: Path) -> None:
    file, warehouse = source(tmp_path), tmp_path / "warehouse"
    code, out, err = run("stream", "--database", str(file), "--warehouse", str(warehouse), folder=tmp_path)
    assert code == 0, err
    counted = {found[1]: int(found[2]) for found in re.finditer(r"streaming-12f6caff3559-(\w+) +(\d+) +\2 ", out)}
    with connect(str(file)).connect() as connection:
        wanted = {
            e.name: connection.exec_driver_sql(f"SELECT count(*) FROM {e.source_table}").scalar() for e in ENTITIES
        }
    assert counted == wanted
    assert "Which category is the most popular in each country?" in out
    assert re.search(r"sent \d+, acknowledged \d+, retried 0, failed 0", err)
    code, _, err = run("stream", "--database", str(file), "--warehouse", str(warehouse), folder=tmp_path)
    assert (code, err) == (
        2,
        f"error: warehouse must have no streams yet where --database is sent to new ones, got some in {warehouse}\n",
    )
    # Of raw records alone: no Kinesis, and so no region, is needed.
    code, out, err = run("stream", "--rebuild", "--entity", "user", "--warehouse", str(warehouse), folder=tmp_path)
    assert code == 0, err
    assert re.search(rf"streaming-12f6caff3559-user +{wanted['user']} +{wanted['user']} ", out)


def test_ctrl_c_stops_it_and_the_same_command_goes_on(tmp_path: Path) -> None:
    warehouse = tmp_path / "warehouse"
    with serving() as kinesis:
        client = KinesisSourceConfig(region="eu-west-1", endpoint=kinesis.url, access_key="a", secret_key="b").client()
        kinesis.create(SETTINGS.stream(PIN))
        guard = Path(Settings(leg="stream", warehouse=str(warehouse)).checkpoint(PIN) + ".json")

        def put(key: int) -> None:
            value = json.dumps({"index": key, "title": f"title {key}"}).encode()
            client.put_record(StreamName=SETTINGS.stream(PIN), Data=value, PartitionKey=str(key))

        put(1)
        given = ["stream", "--endpoint", kinesis.url, "--region", "eu-west-1", "--entity", "pin"]
        given += ["--warehouse", str(warehouse)]
        with command(*given, "--trigger", "1 second", folder=tmp_path, **KEYS) as process:
            deadline = time.monotonic() + 400
            while time.monotonic() < deadline and process.poll() is None:
                if guard.is_file() and json.loads(guard.read_text())["seen"].get("read"):
                    break
                time.sleep(0.2)
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=300)
        assert process.returncode == 130, err
        assert err.endswith("stopped; the same command goes on where it was\n")
        assert "Traceback" not in err
        put(2)
        code, out, err = run(*given, folder=tmp_path, **KEYS)
        assert code == 0, err
        assert re.search(r"streaming-12f6caff3559-pin +1 +1 ", out)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--database", "missing.db"], "database must be there, got missing.db"),
        (["--database", "x.db", "--endpoint", "http://127.0.0.1:1"], "not allowed with argument"),
        ([], "one of the arguments --database --endpoint --rebuild is required"),
        (["--endpoint", "aws", "--trigger", "soon"], "trigger must be available_now or a time such as '5 seconds'"),
        (
            ["--endpoint", "aws", "--initial-position", "noon"],
            "initial position must be latest, trim_horizon or a time",
        ),
        (["--endpoint", "aws", "--user-id", "x;"], "user_id must be 3 to 32 of a-z and 0-9, got 'x;'"),
    ],
)
def test_a_mistake_is_one_line(tmp_path: Path, given: list[str], said: str) -> None:
    code, out, err = run("stream", "--warehouse", str(tmp_path / "w"), *given, folder=tmp_path)
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert said in err
    assert err.count("\n") == 1


def test_a_stream_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with serving() as kinesis:
        kinesis.create(SETTINGS.stream(USER))
        given = ["stream", "--endpoint", kinesis.url, "--region", "eu-west-1", "--entity", "pin"]
        code, _, err = run(*given, "--warehouse", str(tmp_path / "w"), folder=tmp_path, **KEYS)
    assert code == 1
    wanted = ": stream streaming-12f6caff3559-pin must be there and readable, got ResourceNotFoundException"
    assert err.splitlines()[-1].endswith(wanted)
