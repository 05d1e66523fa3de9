"""Runs a task of the workspace emulator, which starts this as ``python3 NOTEBOOK name=value …``: the notebook itself.

The emulator would run a notebook's file as a plain Python script. It also appends a run's parameters to those of the
task, where the platform's run wins; and it leaves ``{{job.run_id}}`` as it is, which the platform fills in.
"""

import json
import os
import sys
import urllib.request
from pathlib import Path

ROOT = Path(__file__).parents[2]
RUN_ID = "{{job.run_id}}"


def main(notebook: str, *given: str) -> None:
    """Becomes ``python -m local notebook``."""
    values = dict(pair.split("=", 1) for pair in given)
    words = [
        f"{name}={value.replace(RUN_ID, run_id()) if RUN_ID in value else value}" for name, value in values.items()
    ]
    os.environ["PYTHONPATH"] = str(ROOT)
    os.execv(sys.executable, [sys.executable, "-m", "local", "notebook", notebook, *words])  # noqa: S606 - no shell


def run_id() -> str:
    """Id of the run that is going on; a test runs one at a time."""
    address = f"{os.environ['EMULATOR']}/api/2.2/jobs/runs/list?active_only=true"
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(address, timeout=60) as answer:
        runs = json.loads(answer.read())["runs"]
    if len(runs) != 1:
        raise SystemExit(f"error: one run must be going on, got {len(runs)}")
    return str(runs[0]["run_id"])


if __name__ == "__main__":
    main(*sys.argv[1:])
