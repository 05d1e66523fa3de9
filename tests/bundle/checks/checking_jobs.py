"""What must hold for every job: its notebooks, the wheel, the order of its tasks, its trigger."""

import graphlib
from collections.abc import Iterator
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tests.bundle.checks import quartz

_NOTEBOOK = "# Databricks notebook source\n"


def findings(bundle: dict, root: Path) -> Iterator[str]:
    """A line for each thing that is wrong with a job."""
    for key, job in bundle["resources"].get("jobs", {}).items():
        where = f"jobs.{key}"
        yield from _notebooks(where, job, root)
        yield from _compute(where, job, bundle)
        yield from _order(where, job)
        yield from _trigger(where, job)
        yield from _trigger_of_streams(where, job)
        if job.get("max_concurrent_runs") != 1:
            yield f"{where}: max_concurrent_runs must be 1, got {job.get('max_concurrent_runs')}"


def _notebooks(where: str, job: dict, root: Path) -> Iterator[str]:
    if not job.get("tasks"):
        yield f"{where}: a job must have a task"
    for task in job.get("tasks", []):
        path = root / task.get("notebook_task", {}).get("notebook_path", "")
        if not path.is_file():
            yield f"{where}.{task['task_key']}: notebook must exist, got {path.relative_to(root).as_posix()}"
        elif not path.read_text(encoding="utf-8").startswith(_NOTEBOOK):
            yield f"{where}.{task['task_key']}: {path.name} must begin as a notebook, or it is deployed as a plain file"


def _compute(where: str, job: dict, bundle: dict) -> Iterator[str]:
    """Each task has compute that the job declares, and on it the wheel that the artifact builds."""
    clusters = {cluster["job_cluster_key"] for cluster in job.get("job_clusters", [])}
    environments = {one["environment_key"]: one["spec"] for one in job.get("environments", [])}
    for task in job.get("tasks", []):
        here = f"{where}.{task['task_key']}"
        cluster, environment = task.get("job_cluster_key"), task.get("environment_key")
        if (cluster in clusters) == (environment in environments):
            yield f"{here}: must have a cluster or an environment of the job, got {cluster} and {environment}"
        wheels = [library["whl"] for library in task.get("libraries", []) if "whl" in library]
        wheels += environments.get(environment, {}).get("dependencies", [])
        if wheels != ["dist/*.whl"]:
            yield f"{here}: the wheel must be dist/*.whl, got {wheels}"
    builds = [
        one for one in bundle.get("artifacts", {}).values() if one.get("type") == "whl" and one.get("path") == "."
    ]
    if len(builds) != 1 or not builds[0].get("build", "").endswith("--wheel-dir dist ."):
        yield "artifacts: exactly one must build a wheel of this folder into dist"


def _order(where: str, job: dict) -> Iterator[str]:
    keys = [task["task_key"] for task in job.get("tasks", [])]
    for key in sorted({key for key in keys if keys.count(key) > 1}):
        yield f"{where}: task_key {key} must stand once"
    before = {
        task["task_key"]: [one["task_key"] for one in task.get("depends_on", [])] for task in job.get("tasks", [])
    }
    for key, needed in before.items():
        for unknown in sorted(set(needed) - set(keys)):
            yield f"{where}.{key}: depends_on must name a task of the job, got {unknown}"
    try:
        graphlib.TopologicalSorter(before).prepare()
    except graphlib.CycleError as error:
        yield f"{where}: tasks must not wait for each other in a circle, got {' → '.join(error.args[1])}"


def _trigger(where: str, job: dict) -> Iterator[str]:
    kinds = [kind for kind in ("schedule", "continuous", "trigger") if job.get(kind)]
    if len(kinds) != 1:
        yield f"{where}: must have one trigger, got {', '.join(kinds) or 'none'}"
    if schedule := job.get("schedule"):
        if wrong := quartz.mistake(schedule["quartz_cron_expression"]):
            yield f"{where}: {wrong}"
        if not _is_zone(schedule["timezone_id"]):
            yield f"{where}: timezone_id must be a time zone, got {schedule['timezone_id']}"
        if not job.get("timeout_seconds"):
            yield f"{where}: a scheduled job must have timeout_seconds"
    if job.get("continuous"):
        yield from _continuous(where, job)


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return False
    return True


def _continuous(where: str, job: dict) -> Iterator[str]:
    """What the platform refuses beside ``continuous``."""
    if (job.get("queue") or {"enabled": True})["enabled"]:
        yield f"{where}: a continuous job must have no queue"
    if job.get("timeout_seconds"):
        yield f"{where}: a continuous job must have no timeout_seconds, which would end it"
    if job.get("environments"):
        yield f"{where}: a continuous job must not be serverless"
    for task in job.get("tasks", []):
        for setting in (
            "depends_on",
            "max_retries",
            "min_retry_interval_millis",
            "retry_on_timeout",
            "timeout_seconds",
        ):
            if task.get(setting):
                yield f"{where}.{task['task_key']}: a task of a continuous job must have no {setting}"


def _trigger_of_streams(where: str, job: dict) -> Iterator[str]:
    """The stream's own trigger and the job's: a run without end in a schedule would never free it for the next."""
    for parameter in job.get("parameters", []):
        if parameter["name"] == "trigger" and (parameter["default"] == "available_now") == bool(job.get("continuous")):
            yield f"{where}: trigger must be available_now in a schedule and a time in a continuous job"
