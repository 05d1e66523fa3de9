"""Mistakes planted in the resolved bundle are caught by the checks, each with its own line."""

import copy
from collections.abc import Callable

import pytest

from tests.bundle.checks.checking import findings
from tests.bundle.resolving import resolved

Plant = Callable[[dict], object]


def batch(bundle: dict) -> dict:
    return bundle["resources"]["jobs"]["pinterest_batch"]


def stream(bundle: dict) -> dict:
    return bundle["resources"]["jobs"]["pinterest_stream"]


def task(bundle: dict, key: str) -> dict:
    return next(one for one in batch(bundle)["tasks"] if one["task_key"] == key)


def parameter(job: dict, name: str) -> dict:
    return next(one for one in job["parameters"] if one["name"] == name)


PLANTED: dict[str, tuple[Plant, str]] = {
    "a missing notebook": (
        lambda b: task(b, "analyse")["notebook_task"].update(notebook_path="notebooks/analyze.py"),
        "jobs.pinterest_batch.analyse: notebook must exist, got notebooks/analyze.py",
    ),
    "a file that is no notebook": (
        lambda b: task(b, "analyse")["notebook_task"].update(notebook_path="resources/choices.py"),
        "jobs.pinterest_batch.analyse: choices.py must begin as a notebook, or it is deployed as a plain file",
    ),
    "an unknown task in depends_on": (
        lambda b: task(b, "analyse")["depends_on"].append({"task_key": "clean_pins"}),
        "jobs.pinterest_batch.analyse: depends_on must name a task of the job, got clean_pins",
    ),
    "a cycle": (
        lambda b: task(b, "set_up_tables")["depends_on"].append({"task_key": "clean_pin"}),
        "jobs.pinterest_batch: tasks must not wait for each other in a circle, got "
        "set_up_tables → clean_pin → set_up_tables",
    ),
    "a task twice": (
        lambda b: batch(b)["tasks"].append(copy.deepcopy(batch(b)["tasks"][0])),
        "jobs.pinterest_batch: task_key check_landing must stand once",
    ),
    "a widget that no job sets": (
        lambda b: batch(b)["parameters"].remove(parameter(batch(b), "landing")),
        "jobs.pinterest_batch.clean_pin: widget landing of clean_batch.py must be set by the job",
    ),
    "a widget that no task sets": (
        lambda b: task(b, "clean_geo")["notebook_task"].pop("base_parameters"),
        "jobs.pinterest_batch.clean_geo: widget entity of clean_batch.py must be set by the job",
    ),
    "a job's parameter without a widget": (
        lambda b: batch(b)["parameters"].append({"name": "lauding", "default": ""}),
        "jobs.pinterest_batch: parameter lauding must be a widget of one of its notebooks",
    ),
    "a task's parameter without a widget": (
        lambda b: task(b, "clean_geo")["notebook_task"]["base_parameters"].update(entities="geo"),
        "jobs.pinterest_batch.clean_geo: parameter entities must be a widget of clean_batch.py, "
        "which has none of that name",
    ),
    "a parameter that the job's hides": (
        lambda b: batch(b)["parameters"].append({"name": "entity", "default": "all"}),
        "jobs.pinterest_batch.clean_geo: parameter entity must not stand in the job too, which would win",
    ),
    "a value that the dropdown has not": (
        lambda b: task(b, "clean_geo")["notebook_task"]["base_parameters"].update(entity="geos"),
        "jobs.pinterest_batch.clean_geo: entity must be one of all, pin, geo, user, got 'geos'",
    ),
    "no wheel": (
        lambda b: task(b, "analyse").pop("libraries"),
        "jobs.pinterest_batch.analyse: the wheel must be dist/*.whl, got []",
    ),
    "another wheel": (
        lambda b: task(b, "analyse").update(libraries=[{"whl": "build/*.whl"}]),
        "jobs.pinterest_batch.analyse: the wheel must be dist/*.whl, got ['build/*.whl']",
    ),
    "no artifact": (
        lambda b: b.pop("artifacts"),
        "artifacts: exactly one must build a wheel of this folder into dist",
    ),
    "a cluster that the job has not": (
        lambda b: task(b, "analyse").update(job_cluster_key="big"),
        "jobs.pinterest_batch.analyse: must have a cluster or an environment of the job, got big and None",
    ),
    "two triggers": (
        lambda b: batch(b).update(continuous={"pause_status": "PAUSED"}),
        "jobs.pinterest_batch: must have one trigger, got schedule, continuous",
    ),
    "no trigger": (lambda b: batch(b).pop("schedule"), "jobs.pinterest_batch: must have one trigger, got none"),
    "a bad cron": (
        lambda b: batch(b)["schedule"].update(quartz_cron_expression="0 5 * * *"),
        "jobs.pinterest_batch: cron must have 6 or 7 fields, got '0 5 * * *'",
    ),
    "a bad time zone": (
        lambda b: batch(b)["schedule"].update(timezone_id="Mars/Phobos"),
        "jobs.pinterest_batch: timezone_id must be a time zone, got Mars/Phobos",
    ),
    "a schedule without time-out": (
        lambda b: batch(b).pop("timeout_seconds"),
        "jobs.pinterest_batch: a scheduled job must have timeout_seconds",
    ),
    "runs beside each other": (
        lambda b: batch(b).update(max_concurrent_runs=4),
        "jobs.pinterest_batch: max_concurrent_runs must be 1, got 4",
    ),
    "a queue on a continuous job": (
        lambda b: stream(b).update(queue={"enabled": True}),
        "jobs.pinterest_stream: a continuous job must have no queue",
    ),
    "a queue that the platform switches on": (
        lambda b: stream(b).pop("queue"),
        "jobs.pinterest_stream: a continuous job must have no queue",
    ),
    "retries in a continuous job": (
        lambda b: stream(b)["tasks"][0].update(max_retries=3),
        "jobs.pinterest_stream.take_streams: a task of a continuous job must have no max_retries",
    ),
    "a dependency in a continuous job": (
        lambda b: stream(b)["tasks"][0].update(depends_on=[{"task_key": "set_up"}]),
        "jobs.pinterest_stream.take_streams: a task of a continuous job must have no depends_on",
    ),
    "a continuous job on serverless compute": (
        lambda b: stream(b).update(environments=[{"environment_key": "default", "spec": {}}]),
        "jobs.pinterest_stream: a continuous job must not be serverless",
    ),
    "a continuous job that ends at once": (
        lambda b: parameter(stream(b), "trigger").update(default="available_now"),
        "jobs.pinterest_stream: trigger must be available_now in a schedule and a time in a continuous job",
    ),
    "a missing dashboard file": (
        lambda b: b["resources"].update(dashboards={"pinterest": {"display_name": "x", "file_path": "none.json"}}),
        "dashboards.pinterest: file must exist, got none.json",
    ),
    "no dashboard": (lambda b: b["resources"].pop("dashboards", None), "dashboards: there must be one"),
    "a wrong mode": (
        lambda b: b["bundle"].update(mode="prod"),
        "mode of prod must be development or production, got 'prod'",
    ),
    "a job that runs as a person": (
        lambda b: batch(b).update(run_as={"user_name": "somebody"}),
        "jobs.pinterest_batch: must run as a service principal in prod",
    ),
    "analysts who read quarantine": (
        lambda b: b["resources"]["schemas"]["batch"]["grants"][0]["privileges"].append("SELECT"),
        "schemas.batch: analysts must have USE_SCHEMA alone, got USE_SCHEMA, SELECT",
    ),
    "a grant to nobody": (
        lambda b: b["resources"]["schemas"]["batch"]["grants"][1].update(principal=""),
        "schemas.batch: a grant must name a principal",
    ),
    "analysts who read secrets": (
        lambda b: b["resources"]["secret_scopes"]["aws_keys"]["permissions"].append(
            {"level": "READ", "group_name": "analysts"}
        ),
        "secret_scopes.aws_keys: analysts must not read secrets",
    ),
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_mistake_planted_in_the_resolved_bundle_is_caught(name: str) -> None:
    plant, told = PLANTED[name]
    bundle = resolved("prod")
    assert told not in findings(bundle)
    plant(bundle)
    assert told in findings(bundle)


def test_a_job_that_runs_in_dev_is_caught() -> None:
    bundle = resolved("dev")
    batch(bundle)["schedule"]["pause_status"] = "UNPAUSED"
    batch(bundle)["name"] = "pinterest_batch"
    bundle["resources"]["schemas"]["batch"]["name"] = "pinterest"
    assert {
        "jobs.pinterest_batch: must be paused in dev",
        "jobs.pinterest_batch: name must begin with [dev …], got pinterest_batch",
        "schemas.batch: name must begin with dev_…, got pinterest",
    } <= set(findings(bundle))
