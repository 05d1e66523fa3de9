"""A real MariaDB: a data folder and a loopback port of its own, stopped by its own process id."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pymysql
import pytest

_PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"])
USER, PASSWORD, DATABASE = "sender", "c4n4ry:/@ 'quoted'", "pinterest_data"


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


@pytest.fixture(scope="session")
def mariadb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Its port; there is a database, and a user that may do anything in it."""
    server, install = (shutil.which(name, path=_PATH) for name in ("mariadbd", "mariadb-install-db"))
    assert server, "make test-stack installs MariaDB"
    assert install, "make test-stack installs MariaDB"
    folder = tmp_path_factory.mktemp("mariadb")
    data, socket_file, port = folder / "data", folder / "s", free_port()
    user = Path("/proc/self").owner()
    made = [install, "--no-defaults", f"--datadir={data}", f"--user={user}", "--auth-root-authentication-method=normal"]
    subprocess.run([*made, "--skip-test-db"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    options = [f"--datadir={data}", f"--socket={socket_file}", f"--port={port}", "--bind-address=127.0.0.1"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [server, "--no-defaults", *options, f"--user={user}", "--skip-name-resolve"], stdout=log, stderr=log
        )
    try:
        _make_database(socket_file, process, folder / "log")
        yield port
    finally:
        process.terminate()
        process.wait(60)


def _make_database(socket_file: Path, process: "subprocess.Popen[bytes]", log: Path) -> None:
    until = time.monotonic() + 60
    while True:
        try:
            connection = pymysql.connect(unix_socket=str(socket_file), user="root")
            break
        except pymysql.err.OperationalError:
            assert process.poll() is None, log.read_text(errors="replace")[-2000:]
            assert time.monotonic() < until, log.read_text(errors="replace")[-2000:]
            time.sleep(0.1)
    with connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {DATABASE} CHARACTER SET utf8mb4")
        cursor.execute("CREATE USER %s@'127.0.0.1' IDENTIFIED BY %s", (USER, PASSWORD))
        cursor.execute(f"GRANT ALL ON {DATABASE}.* TO %s@'127.0.0.1'", (USER,))
