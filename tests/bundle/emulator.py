"""A workspace on this machine: the emulator minilake, to which a resolved bundle is deployed, with the real notebooks.

What the harness does in place of the platform or the CLI, since the emulator does not:
- it uploads the notebooks and names their place in the jobs, as ``bundle deploy`` does; they keep their ``.py``;
- it pushes a job's parameters down to its tasks, where they win over ``base_parameters``;
- ``tests/bundle/task.py`` fills in ``{{job.run_id}}`` and has the file run as a notebook, in the tests' one session.
Clusters, libraries, schedules, permissions, schemas and volumes are taken and not looked at.
"""

import base64
import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from databricks.sdk import WorkspaceClient
from databricks.sdk.service.jobs import JobSettings, Run, RunLifeCycleState
from databricks.sdk.service.workspace import ImportFormat, Language
from pyspark.sql import SparkSession

from local.stack.stack_part import find_free_port
from tests.bundle.loading import ROOT
from tests.bundle.notebook_server import notebook_server
from tests.bundle.references import settled

MINILAKE = ROOT / ".make" / "minilake-venv" / "bin" / "minilake"
_LONGEST, _PAUSE = 3600, 0.2
_ENDED = {RunLifeCycleState.TERMINATED, RunLifeCycleState.SKIPPED, RunLifeCycleState.INTERNAL_ERROR}


@dataclass
class Workspace:
    """The emulator, and what was deployed to it.

    Attributes:
        host: its address.
        jobs: ids of the deployed jobs, by their keys in the bundle.
    """

    host: str
    jobs: dict[str, int] = field(default_factory=dict)

    def client(self) -> WorkspaceClient:
        """A client of its API."""
        return WorkspaceClient(host=self.host, token="any")  # the emulator asks for none

    def deploy(self, bundle: dict) -> None:
        """Uploads the notebooks and makes the jobs of a resolved bundle."""
        client, files = self.client(), bundle["workspace"]["file_path"]
        client.workspace.mkdirs(f"{files}/notebooks")
        for notebook in sorted((ROOT / "notebooks").glob("*.py")):
            client.workspace.import_(
                f"{files}/notebooks/{notebook.name}",
                content=base64.b64encode(notebook.read_bytes()).decode(),
                format=ImportFormat.SOURCE,
                language=Language.PYTHON,
                overwrite=True,
            )
        for key, job in settled(bundle)["resources"]["jobs"].items():
            pushed = {parameter["name"]: parameter["default"] for parameter in job["parameters"]}
            for task in job["tasks"]:
                notebook = task["notebook_task"]
                notebook["notebook_path"] = f"{files}/{notebook['notebook_path']}"
                notebook["base_parameters"] = {**notebook.get("base_parameters", {}), **pushed}
            settings = JobSettings.from_dict({name: value for name, value in job.items() if name != "permissions"})
            self.jobs[key] = client.jobs.create(**settings.as_shallow_dict()).job_id

    def run(self, job: str, **parameters: str) -> Run:
        """Runs a job by its key in the bundle, with values of its parameters, to its end."""
        jobs, end = self.client().jobs, time.monotonic() + _LONGEST
        started = jobs.run_now(self.jobs[job], job_parameters=parameters)
        # The SDK's own waiting asks less often the longer it waits: up to ten seconds late.
        while (run := jobs.get_run(started.run_id)).state.life_cycle_state not in _ENDED:
            assert time.monotonic() < end, f"{job} must end within {_LONGEST} s"
            time.sleep(_PAUSE)
        return run

    def told(self, run: Run, task: str) -> str:
        """What a task of a run printed, its error included."""
        found = next(one for one in run.tasks if one.task_key == task)
        return self.client().jobs.get_run_output(found.run_id).logs or ""


def states(run: Run) -> dict[str, str]:
    """How each task ended: its result, else its life cycle."""
    return {task.task_key: (task.state.result_state or task.state.life_cycle_state).value for task in run.tasks}


@contextlib.contextmanager
def minilake(folder: Path, environment: Mapping[str, str]) -> Iterator[int]:
    """The emulator on a free port of this machine; at the end it is stopped, and what it started.

    Args:
        folder: where it keeps everything; its log is ``minilake.log``.
        environment: of it and of its tasks; the first ``python3`` of its ``PATH`` runs them.
    """
    port = find_free_port()
    settings = {
        "MINILAKE_DATA_DIR": str(folder / "data"),
        "MINILAKE_JOB_EXECUTOR": "subprocess",
        "MINILAKE_NOTEBOOK": "0",
        # Else it downloads extensions of its SQL engine, which nothing here uses.
        "MINILAKE_DUCKDB_EXTENSION_DIR": str(folder / "extensions"),
        "EMULATOR": f"http://127.0.0.1:{port}",
    }
    log = folder / "minilake.log"
    with log.open("wb") as out:
        command = [MINILAKE, "--host", "127.0.0.1", "--port", str(port)]
        process = subprocess.Popen(
            command, env={**environment, **settings}, stdout=out, stderr=out, start_new_session=True
        )
        try:
            _wait_for(port, process, log)
            yield port
        finally:
            # Its session: a task that is still going on ends, too.
            for number in (signal.SIGTERM, signal.SIGKILL):
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, number)
                process.wait(30)


@contextlib.contextmanager
def workspace(spark: SparkSession, folder: Path) -> Iterator[Workspace]:
    """Starts an emulator whose tasks are the real notebooks.

    Args:
        spark: session that they run in, one at a time.
        folder: where the emulator keeps everything.
    """
    shim = folder / "bin" / "python3"
    shim.parent.mkdir(parents=True)
    shim.write_text(f'#!/bin/sh\nexec "{sys.executable}" -I "{ROOT}/tests/bundle/task.py" "$@"\n', encoding="utf-8")
    shim.chmod(0o755)
    path = f"{shim.parent}:{os.environ['PATH']}"
    with contextlib.ExitStack() as stack:
        stack.enter_context(_reached_directly())
        notebooks = stack.enter_context(notebook_server(spark))
        port = stack.enter_context(minilake(folder, {**os.environ, "PATH": path, "NOTEBOOK_SERVER": notebooks}))
        yield Workspace(f"http://127.0.0.1:{port}")


@contextlib.contextmanager
def _reached_directly() -> Iterator[None]:
    """No proxy of the environment stands before an address of this machine."""
    before = {name: os.environ.get(name) for name in ("NO_PROXY", "no_proxy")}
    os.environ.update(dict.fromkeys(before, "127.0.0.1"))
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def _wait_for(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.1)
    raise AssertionError(f"minilake must listen on port {port}:\n{log.read_text(encoding='utf-8')}")
