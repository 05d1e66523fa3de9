"""What the Databricks CLI itself makes of the bundle, kept as data in ``cli/`` beside this file.

``make bundle-snapshots`` writes it again: ``databricks`` must be on the PATH and signed in to any workspace
(docs/operations/deploy.md). Nothing is deployed.
"""

import json
import os
import re
import shutil
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.bundle.checks.mistakes import MISTAKES, plant
from tests.bundle.loading import ROOT
from tests.bundle.resolving import GIVEN, TARGETS, USER

FOLDER = Path(__file__).parent / "cli"
PROFILE = "arn:aws:iam::000000000000:instance-profile/pinterest"

# A target with everything else as it is, and with one choice: name of the file, target, variables.
CHOICES = {
    **{target: (target, {}) for target in TARGETS},
    "dev.classic": ("dev", {"compute": "classic", "landing_access": "volume"}),
    "dev.warehouse": ("dev", {"warehouse_id": GIVEN["warehouse_id"]}),
    "staging.serverless": ("staging", {"compute": "serverless"}),
    "prod.serverless": ("prod", {"compute": "serverless"}),
    "prod.airflow": ("prod", {"orchestrator": "airflow"}),
    "prod.managed_volume": ("prod", {"landing_access": "managed_volume"}),
    "prod.external_location": ("prod", {"landing_access": "external_location"}),
    "prod.mount_keys": ("prod", {"landing_access": "mount_keys"}),
    "prod.mount_instance_profile": (
        "prod",
        {"landing_access": "mount_instance_profile", "instance_profile": PROFILE},
    ),
    "prod.storage_credential": ("prod", {"storage_credential": "landing"}),
    "prod.service_credential": ("prod", {"service_credential": "kinesis"}),
    "prod.user_id": ("prod", {"user_id": "abc123"}),
    "prod.nobody": ("prod", {"notification_email": "", "analysts_group": "", "warehouse_id": ""}),
}
_NAMES = ("task_key", "job_cluster_key", "environment_key", "name", "principal")
# The CLI's own notes, and a dashboard's file once more.
_LEFT_OUT = ("deployment", "edit_mode", "format", "serialized_dashboard", "volume_path")


def flat(value: object, path: str = "") -> dict[str, object]:
    """One entry per leaf, by its path; members of a list by their name, where they have one."""
    if isinstance(value, dict) and value:
        members = [(key, inner) for key, inner in value.items() if key not in _LEFT_OUT]
    elif isinstance(value, list) and value:
        members = [(_name(inner) or str(number), inner) for number, inner in enumerate(value)]
    else:
        # To the CLI, what is empty and what is missing are one.
        return {} if value in ({}, [], None) else {path: value}
    found: dict[str, object] = {}
    for key, inner in members:
        found |= flat(inner, f"{path}.{key}" if path else key)
    return found


def _name(member: object) -> str:
    found = [str(member[name]) for name in _NAMES if name in member] if isinstance(member, dict) else []
    return found[0] if found else ""


def as_the_cli_writes(bundle: dict) -> dict[str, object]:
    """Our resolver's resources, flat, with paths as the CLI writes them."""
    found = flat(bundle["resources"])
    for path, value in found.items():
        if path.endswith(".notebook_path"):
            found[path] = f"{bundle['workspace']['file_path']}/{str(value).removesuffix('.py')}"
        elif ".spec.dependencies." in path:
            found[path] = f"./{value}"
    return found


def kept(name: str) -> dict[str, object]:
    """The CLI's result for a target, or for a choice: the target's with what the choice changes."""
    target = name.partition(".")[0]
    found = json.loads(_file(target).read_text(encoding="utf-8"))
    if name != target:
        found |= json.loads(_file(name).read_text(encoding="utf-8"))
    return {path: value for path, value in found.items() if value is not None}


def copy_bundle(folder: Path) -> None:
    """The bundle's files in an empty folder."""
    shutil.copy(ROOT / "databricks.yml", folder)
    for name in ("resources", "notebooks"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "src").mkdir()


def _validated(target: str, variables: dict[str, str], mistake: str = "") -> tuple[dict, list[str]]:
    """What ``bundle validate`` gives, and its errors."""
    given = {**({} if target == "dev" else GIVEN), **variables}
    with tempfile.TemporaryDirectory() as folder:
        copy_bundle(Path(folder))
        (Path(folder) / ".venv").symlink_to(ROOT / ".venv")
        if mistake:
            plant(MISTAKES[mistake], Path(folder))
        words = [f"--var={name}={value}" for name, value in given.items()]
        command = ["databricks", "bundle", "validate", "-t", target, "-o", "json", *words]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("BUNDLE_VAR_")}
        done = subprocess.run(
            command, cwd=folder, env=environment, check=False, capture_output=True, text=True, timeout=300
        )
        errors = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
        if not done.stdout or (errors and not mistake):
            raise SystemExit(f"error: databricks bundle validate must work for {target} {variables}:\n{done.stderr}")
        return json.loads(done.stdout), [line.replace(folder, ".") for line in errors]


def _neutral(bundle: dict) -> dict[str, object]:
    """The resources, flat, with the deployer's names made those of nobody."""
    user, text = bundle["workspace"]["current_user"], json.dumps(flat(bundle["resources"]))
    for name in ("userName", "short_name"):
        text = re.sub(rf"(?<![a-z0-9]){re.escape(user[name])}(?![a-z0-9])", USER[name], text)
    return json.loads(text)


def _file(name: str) -> Path:
    """The file of a target or a choice, in the target's folder."""
    target, _, choice = name.partition(".")
    return FOLDER / target / f"{choice or 'target'}.json"


def _write(file: Path, content: dict) -> None:
    text = json.dumps(content, indent=0, sort_keys=True, ensure_ascii=False)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text + "\n", encoding="utf-8")


def main() -> None:
    """Writes the files of every choice, and what the CLI says of each planted mistake."""
    with ThreadPoolExecutor(2) as pool:
        results = pool.map(lambda choice: _validated(*choice), CHOICES.values())
        found = {name: _neutral(bundle) for name, (bundle, _) in zip(CHOICES, results, strict=True)}
        said = pool.map(lambda name: _validated(MISTAKES[name].target, {}, name)[1], MISTAKES)
        refused = dict(zip(MISTAKES, said, strict=True))
    shutil.rmtree(FOLDER, ignore_errors=True)
    _write(FOLDER / "refused.json", refused)
    for name, content in found.items():
        base = found[name.partition(".")[0]] if "." in name else {}
        changed = {path: content.get(path) for path in {*base, *content} if base.get(path) != content.get(path)}
        _write(_file(name), changed)


if __name__ == "__main__":
    main()
