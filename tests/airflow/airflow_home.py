"""An Airflow of a test's own: its home, its DAGs, its commands."""

import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestration.__main__ import main as publish

ROOT = Path(__file__).parents[2]
BIN = ROOT / ".make" / "airflow-venv" / "bin"
TOKEN = "a-token-of-the-test"
SECONDS = 2700


class WarmAirflow:
    """A process that has imported Airflow, and runs each command in a copy of itself."""

    def __init__(self, home: Path) -> None:
        """Starts it, with a home that no command uses."""
        home.mkdir()
        self._process = subprocess.Popen(
            [BIN / "python", Path(__file__).with_name("warm_airflow.py")],
            cwd=home,
            env=_environment(home),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, words: Sequence[str], environment: Mapping[str, str], output: Path) -> tuple[int, str]:
        """Exit code and output of one command."""
        assert self._process.stdin
        assert self._process.stdout
        asked = {"words": words, "environment": dict(environment), "output": str(output)}
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline()), output.read_text(encoding="utf-8")

    def end(self) -> None:
        """Ends it."""
        self._process.communicate(timeout=60)


@dataclass
class Airflow:
    """One home of Airflow; everything of it is below one folder."""

    home: Path
    warm: WarmAirflow
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def dags(self) -> Path:
        """Folder that Airflow reads DAGs from."""
        return self.home / "dags"

    def copy_to(self, home: Path) -> "Airflow":
        """The same, with a database of its own."""
        shutil.copytree(self.home, home)
        return Airflow(home, self.warm)

    def publish(self, *arguments: str) -> None:
        """Publishes a DAG into the folder, with the command that users have."""
        assert publish(["publish", "--to", str(self.dags), *arguments]) == 0

    def connect(self, port: int, token: str = TOKEN) -> None:
        """Gives the DAGs' connection an address on this machine; schema and port apart, or the port is lost."""
        place = {"conn_type": "databricks", "schema": "http", "host": "127.0.0.1", "port": port, "password": token}
        self.environment["AIRFLOW_CONN_DATABRICKS_DEFAULT"] = json.dumps(place)

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Runs a command of Airflow as a user does; both outputs in one."""
        return subprocess.run(
            [BIN / "airflow", *words],
            cwd=self.home,
            env={**_environment(self.home), **self.environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=SECONDS,
            check=False,
        )

    def call(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Runs a command of Airflow, or a Python file, where Airflow is imported already; both outputs in one."""
        environment = {**_environment(self.home), **self.environment}
        code, output = self.warm.run(words, environment, self.home / "output")
        return subprocess.CompletedProcess(words, code, output)

    def test(self, dag_id: str, conf: Mapping[str, object] | None = None) -> subprocess.CompletedProcess[str]:
        """``airflow dags test``: one run of a DAG, tasks, triggers and all."""
        return self.call("dags", "test", dag_id, *(["--conf", json.dumps(conf)] if conf else []))

    def inspect(self) -> "Inspection":
        """What Airflow makes of the folder of DAGs."""
        done = self.call(str(Path(__file__).with_name("inspect_dags.py")), str(self.dags))
        assert done.returncode == 0, done.stdout
        return Inspection(**json.loads(done.stdout.splitlines()[-1]))


@dataclass(frozen=True)
class Inspection:
    """What Airflow makes of a folder of DAGs.

    Attributes:
        errors: last line of the error of each file that cannot be loaded.
        dags: facts of each DAG.
    """

    errors: dict[str, str]
    dags: dict[str, dict[str, Any]]


def _environment(home: Path) -> dict[str, str]:
    """Nothing of the machine's own settings: no proxy, no connection, no other home; and nobody is told anything."""
    return {
        "PATH": f"{BIN}:/usr/bin:/bin",
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "false",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "false",
        "SCARF_ANALYTICS": "false",
        "PYTHONWARNINGS": "ignore",
        "NO_PROXY": "127.0.0.1",
    }
