"""The files that other programs read: workflow, hooks, dev container."""

import json
import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
HOOKS = {
    hook["id"]: hook
    for repo in yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"]
    for hook in repo["hooks"]
}
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.py"))


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_pins_its_actions_and_may_only_read(path: Path) -> None:
    workflow = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert workflow["permissions"] == {"contents": "read"}
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    assert all(re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", step["uses"]) for step in steps if "uses" in step)
    checkouts = [step for step in steps if step.get("uses", "").startswith("actions/checkout@")]
    assert all(step["with"] == {"persist-credentials": False} for step in checkouts)
    # A value from outside reaches a shell as a variable, never as text of the script.
    assert all("${{" not in step["run"] for step in steps if "run" in step)
    assert all("timeout-minutes" in job for job in workflow["jobs"].values())


def test_the_workflow_runs_all_suites_before_it_deploys() -> None:
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))["jobs"]
    assert {"run": ".ci/run"} in jobs["suites"]["steps"]
    assert jobs["bundle"]["needs"] == "suites"
    bundle = yaml.safe_load((ROOT / "databricks.yml").read_text(encoding="utf-8"))
    needed = {name.upper() for name, variable in bundle["variables"].items() if "default" not in variable}
    assert needed < set(jobs["bundle"]["steps"][-1]["env"])


def test_the_notebook_hooks_pass_the_notebooks_and_stop_others() -> None:
    header, cells = (HOOKS[name] for name in ("notebook-header", "notebook-cells"))
    flags = re.MULTILINE | re.DOTALL
    assert NOTEBOOKS
    for notebook in NOTEBOOKS:
        text = notebook.read_text(encoding="utf-8")
        assert re.fullmatch(header["files"], f"notebooks/{notebook.name}")
        assert re.search(header["entry"], text, flags)
        assert not any(re.search(cells["entry"], line) for line in text.splitlines())
    assert not re.search(header["entry"], '"""A module."""\n', flags)
    assert re.search(cells["entry"], "# COMMAND -----")
    assert re.search(cells["entry"], "#COMMAND ----------x")


def test_the_dev_container_is_built_from_its_file() -> None:
    container = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text(encoding="utf-8"))
    image = (ROOT / ".devcontainer" / container["build"]["dockerfile"]).read_text(encoding="utf-8")
    assert "FROM python:3.11" in image
    assert "openjdk-17" in image
    assert container["remoteUser"] in re.findall(r"^USER (\w+)", image, re.M)
