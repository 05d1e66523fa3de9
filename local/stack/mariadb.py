"""The source database: MariaDB on loopback, with its own data folder, database and user.

The process that is started becomes the server, and keeps its process id. The password
comes by the environment, since anybody may read a command line::

    PINTEREST_MARIADB_PASSWORD=… python -m local.stack.mariadb --folder build/stack/mariadb --port 3306
"""

import argparse
import os
import pwd
import shutil
import subprocess
from pathlib import Path

from local.runtime.part_process import HOST, build_part_parser, run_part
from local.stack.stack_part import StackError

USER, DATABASE = "sender", "pinterest_data"
PASSWORD_VARIABLE = "PINTEREST_MARIADB_PASSWORD"  # noqa: S105 - where it is found, not what it is
# Debian keeps servers where not everybody looks.
_PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"])
_INSTALL_SECONDS = 120


def prepare(folder: Path, port: int, password: str) -> list[str]:
    """Makes the data folder, where it is new; the command that runs the server on it.

    Args:
        folder: where it keeps its data.
        port: its loopback port.
        password: of the user ``sender``, who may do anything in the database ``pinterest_data``.

    Raises:
        StackError: MariaDB is not installed, or cannot make the folder.
        subprocess.TimeoutExpired: it takes too long to make the folder.
    """
    server, install = _find_command("mariadbd"), _find_command("mariadb-install-db")
    folder = folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    account = f"--user={pwd.getpwuid(os.getuid()).pw_name}"
    # A server that starts deletes every temporary table in its folder, another server's too where both use /tmp.
    temporary = folder / "tmp"
    temporary.mkdir(exist_ok=True)
    if not (folder / "data").is_dir():
        _install([install, "--no-defaults", f"--datadir={folder / 'data'}", account], temporary)
    first = folder / "first.sql"
    first.touch(mode=0o600)
    first.write_text(_build_init_sql(password), encoding="utf-8")
    # A socket's path has at most 107 letters, and folders of tests are deep: there is none.
    options = [f"--datadir={folder / 'data'}", f"--port={port}", f"--bind-address={HOST}", f"--init-file={first}"]
    options += [f"--pid-file={folder / 'pid'}", f"--tmpdir={temporary}", "--socket="]
    options += ["--skip-name-resolve", account]
    return [server, "--no-defaults", *options]


def _find_command(name: str) -> str:
    command = shutil.which(name, path=_PATH)
    if command is None:
        raise StackError(f"MariaDB must be installed, got no {name}: make stack installs Debian's")
    return command


def _install(command: list[str], temporary: Path) -> None:
    options = ["--skip-test-db", "--auth-root-authentication-method=normal"]
    environment = {**os.environ, "TMPDIR": str(temporary)}
    ran = subprocess.run(  # noqa: S603 - the server's own tool
        [*command, *options],
        cwd=temporary,
        env=environment,
        capture_output=True,
        text=True,
        timeout=_INSTALL_SECONDS,
        check=False,
    )
    if ran.returncode:
        printed = (ran.stdout + ran.stderr).strip().splitlines() or ["nothing"]
        # The first error is the cause: "Aborting" and several lines of advice follow.
        errors = [line for line in printed if "ERROR" in line] or printed
        raise StackError(f"MariaDB's folder must be made, got {errors[0]}")


def _build_init_sql(password: str) -> str:
    """What the server does at each start; each statement is a line."""
    quoted = "'" + password.replace("\\", "\\\\").replace("'", "''") + "'"
    return (
        f"CREATE DATABASE IF NOT EXISTS {DATABASE} CHARACTER SET utf8mb4;\n"
        f"CREATE USER IF NOT EXISTS {USER}@'{HOST}' IDENTIFIED BY {quoted};\n"
        f"GRANT ALL ON {DATABASE}.* TO {USER}@'{HOST}';\n"
    )


def run(options: argparse.Namespace) -> None:
    """Becomes the server."""
    command = prepare(options.folder, options.port, os.environ.pop(PASSWORD_VARIABLE))
    os.execv(command[0], command)  # noqa: S606 - to be the server, not its parent


if __name__ == "__main__":
    parser = build_part_parser("local.stack.mariadb", "MariaDB on loopback.")
    parser.add_argument("--folder", required=True, type=Path, help="where it keeps its data")
    run_part(parser, run)
