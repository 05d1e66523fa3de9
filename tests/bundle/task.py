"""Runs a task of the workspace emulator, which starts this as ``python3 NOTEBOOK name=value …``: the notebook itself.

The emulator would run a notebook's file as a plain Python script. It also appends a run's parameters to those of the
task, where the platform's run wins; and it leaves ``{{job.run_id}}`` as it is, which the platform fills in.
"""

import json
import os
import sys
import urllib.request

RUN_ID = "{{job.run_id}}"


def main(notebook: str, *given: str) -> int:
    """Has ``python -m local notebook`` run in the session of the tests (see ``notebook_server.py``)."""
    values = dict(pair.split("=", 1) for pair in given)
    words = [
        f"{name}={value.replace(RUN_ID, run_id()) if RUN_ID in value else value}" for name, value in values.items()
    ]
    done = fetch_json(os.environ["NOTEBOOK_SERVER"], json.dumps([os.path.abspath(notebook), *words]).encode())  # noqa: PTH100
    sys.stdout.write(done["out"])
    sys.stderr.write(done["err"])
    return done["code"]


def fetch_json(address: str, body: bytes | None = None) -> dict:
    """What an address on this machine answers."""
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(address, body, timeout=900) as answer:
        return json.loads(answer.read())


def run_id() -> str:
    """Id of the run that is going on; a test runs one at a time."""
    runs = fetch_json(f"{os.environ['EMULATOR']}/api/2.2/jobs/runs/list?active_only=true")["runs"]
    if len(runs) != 1:
        raise SystemExit(f"error: one run must be going on, got {len(runs)}")
    return str(runs[0]["run_id"])


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
