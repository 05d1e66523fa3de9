"""Runs the commands, and counts records of the source and of the server."""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import sqlalchemy as sa

from emulation.source.database import build_table, connect
from pinterest_transforms.entities import ENTITIES
from tests.emulation.fake_api_server import Server

ROOT = Path(__file__).resolve().parents[2]
USER_ID = "abc123"


def count_source_records(source: Path, command: str = "batches") -> Counter[tuple[str, int]]:
    """Records of the source by topic, or stream, and key."""
    prefix = {"batches": f"{USER_ID}.", "streaming": f"streaming-{USER_ID}-"}[command]
    with connect(str(source)).connect() as connection:
        return Counter(
            (f"{prefix}{entity.name}", row[0])
            for entity in ENTITIES
            for row in connection.execute(sa.select(build_table(entity)))
        )


def count_stored(server: Server) -> Counter[tuple[str, int]]:
    return Counter((target, key) for target, key, _ in server.taken)


def build_arguments(command: str, server: Server, source: Path, folder: Path, *more: str) -> list[str]:
    places = ["--cursor", str(folder / "cursor"), "--failed", str(folder / "failed.jsonl")]
    return [command, "--database", str(source), "--url", server.url, "--user-id", USER_ID, *places, *more]


def start_process(given: list[str], **environment: str) -> subprocess.Popen[str]:
    paths = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
    return subprocess.Popen(
        [sys.executable, "-m", "emulation", *given],
        env={**os.environ, "PYTHONPATH": paths, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
