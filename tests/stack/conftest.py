"""A real MariaDB on a loopback port of its own, commands of the project, and calls of the stack's parts."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import aiohttp
import pytest

from local.stack.mariadb import PASSWORD_VARIABLE
from local.stack.stack_part import Part
from tests.stack.running_stack import PROJECT, RunningStack, start_stack

PASSWORD = "c4n4ry:/@ 'quoted'"
RECORDS = "application/vnd.kafka.json.v2+json"


@pytest.fixture(scope="session")
def shared_temporary_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As ``/tmp``, with a temporary table of another server in it."""
    folder = tmp_path_factory.mktemp("tmp")
    (folder / "#sql-temptable-1-1.MAI").touch()
    return folder


@pytest.fixture(scope="session")
def mariadb(tmp_path_factory: pytest.TempPathFactory, shared_temporary_folder: Path) -> Iterator[int]:
    """Its port; there is a database, and a user that may do anything in it. Its clock is India's, as RDS's may be."""
    folder = tmp_path_factory.mktemp("mariadb")
    environment = {PASSWORD_VARIABLE: PASSWORD, "TZ": "IST-5:30", "TMPDIR": str(shared_temporary_folder)}
    options = ["--folder", str(folder)]
    part = Part("mariadb", "local.stack.mariadb", options, folder, environment=environment)
    part.start()
    try:
        part.wait()
        yield part.port
    finally:
        part.stop()


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """One for all tests: its start takes long."""
    stack = start_stack(tmp_path_factory.mktemp("command") / "stack")
    yield stack
    stack.end()


def command(environment: Mapping[str, str], *arguments: str, folder: Path) -> "subprocess.Popen[str]":
    """Starts a command of the project, as somebody does who has read the stack's environment."""
    paths = os.pathsep.join([str(PROJECT / "src"), str(PROJECT)])
    return subprocess.Popen(
        [sys.executable, "-m", *arguments],
        cwd=folder,
        env={**os.environ, **environment, "PYTHONPATH": paths},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )


def send_request(
    url: str, body: object = None, *, method: str = "POST", kind: str = RECORDS, key: str = ""
) -> tuple[int, object]:
    """Status and body of what a GET, or a request with a body, is answered."""

    async def ask() -> tuple[int, object]:
        data, how = (None, "GET") if body is None else (json.dumps(body), method)
        headers = {"Content-Type": kind, "x-api-key": key}
        async with aiohttp.ClientSession() as session, session.request(how, url, data=data, headers=headers) as answer:
            return answer.status, await answer.json(content_type=None)

    return asyncio.run(ask())


def done(environment: Mapping[str, str], *arguments: str, folder: Path, seconds: float = 900) -> str:
    """What a command says on standard output, once it has ended well."""
    process = command(environment, *arguments, folder=folder)
    try:
        out, err = process.communicate(timeout=seconds)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0, f"{arguments}: {out[-2000:]} {err[-2000:]}"
    return out
