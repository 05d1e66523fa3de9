"""The workspace emulator (minilake), with jobs and notebooks of a test's own: small files that do as they are told."""

import base64
import contextlib
import json
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from airflow_home import TOKEN
from gate import Gate

from tests.bundle.emulator import MINILAKE, minilake

FOLDER = "/Workspace/Shared/pinterest/notebooks"


@dataclass(frozen=True)
class Emulated:
    """The emulator behind its gate.

    Attributes:
        gate: what Airflow speaks to.
        port: port of the emulator itself, for setting it up.
        notes: file to which each task that ran adds a line: its name and its parameters.
        jobs: ids of the jobs that were made.
    """

    gate: Gate
    port: int
    notes: Path
    jobs: list[object] = field(default_factory=list)

    def call(self, path: str, body: Mapping[str, object]) -> dict[str, object]:
        """Calls the emulator's API."""
        address = f"http://127.0.0.1:{self.port}/api/{path}"
        request = urllib.request.Request(address, json.dumps(body).encode(), {"Content-Type": "application/json"})
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=60) as response:
            return json.loads(response.read())

    def add_notebook(self, name: str, does: str = "") -> None:
        """A notebook that notes that it ran, and then does what it is told; ``notes`` and ``given`` are there."""
        source = (
            "import json, pathlib, sys, time\n"
            f"notes = pathlib.Path({str(self.notes)!r})\n"
            "given = dict(word.split('=', 1) for word in sys.argv[1:])\n"
            f"note = json.dumps([{name!r}, given]) + '\\n'\n"
            "with notes.open('a') as file: file.write(note)\n"
            f"{does}\n"
        )
        content = base64.b64encode(source.encode()).decode()
        self.call("2.0/workspace/mkdirs", {"path": FOLDER})
        self.call("2.0/workspace/import", {"path": f"{FOLDER}/{name}", "content": content, "overwrite": True})

    def add_job(self, name: str, *notebooks: str) -> None:
        """A job whose tasks are these notebooks, one after the other."""
        tasks = [
            {
                "task_key": notebook,
                "notebook_task": {"notebook_path": f"{FOLDER}/{notebook}"},
                "depends_on": [{"task_key": before}] if before else [],
            }
            for before, notebook in zip(("", *notebooks), notebooks, strict=False)
        ]
        self.jobs.append(self.call("2.2/jobs/create", {"name": name, "tasks": tasks})["job_id"])

    @property
    def ran(self) -> list[tuple[str, dict[str, str]]]:
        """Name and parameters of each task that ran, in order."""
        lines = self.notes.read_text().splitlines() if self.notes.exists() else []
        return [tuple(json.loads(line)) for line in lines]


def small_emulator(folder: Path) -> contextlib.AbstractContextManager[int]:
    """Starts the emulator, whose tasks need no Spark, on a free port of this machine, and stops it."""
    return minilake(
        folder, {"PATH": f"{MINILAKE.parent}:/usr/bin:/bin", "HOME": str(folder), "MINILAKE_SPARK_PREWARM": "0"}
    )


@contextlib.contextmanager
def emulated(port: int, folder: Path) -> Iterator[Emulated]:
    """Starts a gate of the emulator on this port; in the end it is closed, and the jobs are deleted."""
    gate = Gate(port, TOKEN)
    there = Emulated(gate, port, folder / "notes.jsonl")
    try:
        yield there
    finally:
        gate.close()
        for job in there.jobs:
            there.call("2.2/jobs/delete", {"job_id": job})
