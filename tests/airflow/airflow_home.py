"""An Airflow of a test's own: its home, its DAGs, its commands, each in a process as a user starts them."""

import json
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestration.__main__ import main as publish

ROOT = Path(__file__).parents[2]
BIN = ROOT / ".make" / "airflow-venv" / "bin"
TOKEN = "a-token-of-the-test"
SECONDS = 2700


@dataclass
class Airflow:
    """One home of Airflow; everything of it is below one folder."""

    home: Path
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def dags(self) -> Path:
        """Folder that Airflow reads DAGs from."""
        return self.home / "dags"

    def copy_to(self, home: Path) -> "Airflow":
        """The same, with a database of its own."""
        shutil.copytree(self.home, home)
        return Airflow(home)

    def publish(self, *arguments: str) -> None:
        """Publishes a DAG into the folder, with the command that users have."""
        assert publish(["publish", "--to", str(self.dags), *arguments]) == 0

    def connect(self, port: int, token: str = TOKEN) -> None:
        """Gives the DAGs' connection an address on this machine; schema and port apart, or the port is lost."""
        place = {"conn_type": "databricks", "schema": "http", "host": "127.0.0.1", "port": port, "password": token}
        self.environment["AIRFLOW_CONN_DATABRICKS_DEFAULT"] = json.dumps(place)

    def set_variable(self, name: str, value: object) -> None:
        """Sets an Airflow variable."""
        self.environment[f"AIRFLOW_VAR_{name.upper()}"] = json.dumps(value)

    def run(self, *arguments: str | Path, program: str = "airflow") -> subprocess.CompletedProcess[str]:
        """Runs a command of Airflow's environment; both outputs in one."""
        return subprocess.run(
            [BIN / program, *arguments],
            cwd=self.home,
            env={**_environment(self.home), **self.environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=SECONDS,
            check=False,
        )

    def test(self, dag_id: str, conf: Mapping[str, object] | None = None) -> subprocess.CompletedProcess[str]:
        """``airflow dags test``: one run of a DAG, tasks, triggers and all."""
        return self.run("dags", "test", dag_id, *(["--conf", json.dumps(conf)] if conf else []))

    def inspect(self) -> "Inspection":
        """What Airflow makes of the folder of DAGs."""
        done = self.run(Path(__file__).with_name("inspect_dags.py"), self.dags, program="python")
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
