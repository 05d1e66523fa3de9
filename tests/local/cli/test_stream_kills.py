"""``python -m local stream``: a process that is killed; the same command goes on, and Ctrl-C ends it."""

import json
import os
import shutil
import signal
import threading
import time
from pathlib import Path
from subprocess import Popen

import polars
import pytest

from local.kinesis.kinesis_emulator import serve_emulator
from pinterest_transforms.entities import GEO
from pinterest_transforms.ingest.kinesis import KinesisSourceConfig
from pinterest_transforms.settings import Settings
from tests.local.cli.local_commands import command
from tests.local.conftest import KEYS, Call
from tests.support.controlled_kinesis import ControlledKinesis

POSTS, ROUNDS = 12, 2


def commits(folder: Path) -> int:
    return len(list(folder.glob("_delta_log/[0-9]*.json")))


def wait_for_a_write(process: "Popen[str]", folder: Path, before: int) -> None:
    """Waits until the process has written to a table."""
    deadline = time.monotonic() + 400
    while commits(folder) <= before and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    assert process.poll() is None, process.communicate()[1]
    assert commits(folder) > before


@pytest.mark.java
@pytest.mark.usefixtures("keys")
def test_a_stream_that_is_killed_and_stopped_has_every_record_once(
    call: Call, stream_tables: Path, tmp_path: Path
) -> None:
    settings = Settings(user_id="abc", leg="stream", warehouse=str(tmp_path / "warehouse"))
    shutil.copytree(stream_tables, Path(settings.warehouse, settings.schema))
    stream, keys = settings.stream(GEO), []
    clean_folder = settings.table_folder(settings.clean_table(GEO))
    assert clean_folder

    def stored(name: str) -> polars.DataFrame:
        return polars.read_delta(str(settings.table_folder(name)))

    with serve_emulator(ControlledKinesis()) as kinesis:
        kinesis.create(stream, 2)
        client = KinesisSourceConfig(region="eu-west-1", endpoint=kinesis.url, access_key="a", secret_key="b").client()
        given = ["stream", "--endpoint", kinesis.url, "--region", "eu-west-1", "--entity", "geo"]
        given += ["--user-id", settings.user_id, "--warehouse", settings.warehouse]

        def put(number: int) -> None:
            # A third of the keys come again, in a later version; one record is of no use.
            new = range(number * POSTS * 2 // 3, number * POSTS * 2 // 3 + POSTS)
            lines = [json.dumps({"ind": key, "country": f"country {number}"}) for key in new]
            records = [{"Data": line.encode(), "PartitionKey": str(key)} for key, line in zip(new, lines, strict=True)]
            client.put_records(StreamName=stream, Records=[*records, {"Data": b"[]", "PartitionKey": str(number)}])
            keys.extend(new)

        put(0)
        with command(*given, "--trigger", "1 second", folder=tmp_path, **KEYS) as process:
            wait_for_a_write(process, clean_folder, 1)  # the first one made the table
            process.kill()
            process.wait(timeout=30)
        put(1)

        has_ended = threading.Event()

        def interrupt_once_all_is_taken() -> None:
            deadline = time.monotonic() + 400
            while stored("runs")["read"].sum() < len(keys) + ROUNDS and time.monotonic() < deadline:
                if has_ended.wait(0.2):
                    return
            os.kill(os.getpid(), signal.SIGINT)

        watcher = threading.Thread(target=interrupt_once_all_is_taken)
        watcher.start()
        code, _, err = call(*given, "--trigger", "1 second")
        has_ended.set()
        watcher.join()
    assert code == 130, err
    assert err.endswith("stopped; the same command goes on where it was\n")
    assert "Traceback" not in err

    clean = stored(settings.clean_table(GEO))
    assert {row["ind"]: row["country"] for row in clean.to_dicts()} == {
        key: f"country {max(n for n in range(ROUNDS) if 0 <= key - n * POSTS * 2 // 3 < POSTS)}" for key in keys
    }
    assert clean.height == len(set(keys)) < len(keys)
    raw = stored(f"{settings.user_id}_raw_table")
    positions = raw.select(polars.col("_source").struct.field("shard", "position")).unique()
    assert raw.height == positions.height == len(keys) + ROUNDS
    assert stored("quarantine").height == ROUNDS
    runs = stored("runs")
    counted = {name: runs[name].sum() for name in ("read", "rejected", "merged", "already_there")}
    assert (counted["read"], counted["rejected"]) == (raw.height, ROUNDS)
    assert counted["merged"] + counted["already_there"] == len(keys)
