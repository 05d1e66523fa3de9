"""kill -9 of real processes that take a stream, each behind another write of a micro-batch, and one that ends it."""

import json
import time
from pathlib import Path
from subprocess import Popen

import polars

from local.kinesis_stand_in import serving
from pinterest_transforms.entities import GEO
from pinterest_transforms.ingest.kinesis import KinesisSourceConfig
from pinterest_transforms.settings import Settings
from tests.local.commands import command, run

KEYS = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
POSTS = 40
DEATHS = ("raw_table", "geo_table", "runs")


def commits(folder: Path) -> int:
    return len(list(folder.glob("_delta_log/[0-9]*.json")))


def kill_behind_a_write(process: "Popen[str]", folder: Path, before: int) -> None:
    """Waits until the process has written to a table, and kills it."""
    deadline = time.monotonic() + 400
    while commits(folder) <= before and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    assert process.poll() is None, process.communicate()[1]
    assert commits(folder) > before
    process.kill()
    process.wait(timeout=30)


def test_a_stream_killed_behind_each_write_has_every_record_once(tmp_path: Path) -> None:
    settings = Settings(leg="stream", warehouse=str(tmp_path / "warehouse"))
    stream, keys = settings.stream(GEO), []
    with serving() as kinesis:
        kinesis.create(stream, 2)
        client = KinesisSourceConfig(region="eu-west-1", endpoint=kinesis.url, access_key="a", secret_key="b").client()
        given = ["stream", "--endpoint", kinesis.url, "--region", "eu-west-1", "--entity", "geo"]
        given += ["--warehouse", settings.warehouse]
        for number, death in enumerate(DEATHS):
            # A third of the keys come again, in a later version; one record is of no use.
            new = range(number * POSTS * 2 // 3, number * POSTS * 2 // 3 + POSTS)
            lines = [json.dumps({"ind": key, "country": f"country {number}"}) for key in new]
            records = [{"Data": line.encode(), "PartitionKey": str(key)} for key, line in zip(new, lines, strict=True)]
            client.put_records(StreamName=stream, Records=[*records, {"Data": b"[]", "PartitionKey": str(number)}])
            keys += new
            name = death if death == "runs" else f"{settings.user_id}_{death}"
            folder = settings.table_folder(name)
            assert folder
            before = max(commits(folder), 1)  # the first one makes the table
            with command(*given, "--trigger", "1 second", folder=tmp_path, **KEYS) as process:
                kill_behind_a_write(process, folder, before)
        code, _, err = run(*given, folder=tmp_path, **KEYS)
        assert code == 0, err

    def stored(name: str) -> polars.DataFrame:
        return polars.read_delta(str(settings.table_folder(name)))

    clean = stored(settings.clean_table(GEO))
    assert {row["ind"]: row["country"] for row in clean.to_dicts()} == {
        key: f"country {max(n for n in range(len(DEATHS)) if 0 <= key - n * POSTS * 2 // 3 < POSTS)}" for key in keys
    }
    assert clean.height == len(set(keys)) < len(keys)
    raw = stored(f"{settings.user_id}_raw_table")
    positions = raw.select(polars.col("_source").struct.field("shard", "position")).unique()
    assert raw.height == positions.height == len(keys) + len(DEATHS)
    assert stored("quarantine").height == len(DEATHS)
    runs = stored("runs")
    counted = {name: runs[name].sum() for name in ("read", "rejected", "merged", "already_there")}
    assert (counted["read"], counted["rejected"]) == (raw.height, len(DEATHS))
    assert counted["merged"] + counted["already_there"] == len(keys)
