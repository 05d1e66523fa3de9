"""Run by Airflow's own Python: prints, as one line of JSON, what Airflow makes of a folder of DAGs."""

import json
import sys
from datetime import timedelta
from pathlib import Path

from airflow.dag_processing.dagbag import DagBag
from airflow.sdk.exceptions import TaskDeferred


def seconds(value):
    """A time span in seconds, whichever way it is written."""
    return value.total_seconds() if isinstance(value, timedelta) else value


def deferred_for(task):
    """How long the task would wait in the triggerer, in seconds."""
    try:
        task.defer(trigger=None, method_name="execute_complete")
    except TaskDeferred as deferred:
        return seconds(deferred.timeout)
    return None


def task_facts(task):
    """What a test may want to know of a task."""
    return {
        "kind": [kind.__name__ for kind in type(task).__mro__],
        "deferrable": task.deferrable,
        "deferred_for": deferred_for(task),
        "execution_timeout": seconds(task.execution_timeout),
        "retries": task.retries,
        "retry_delay": seconds(task.retry_delay),
        "poll": task.polling_period_seconds,
        "job_name": task.job_name,
        "job_parameters": task.job_parameters,
    }


def dag_facts(dag):
    """What a test may want to know of a DAG."""
    return {
        "file": Path(dag.fileloc).name,
        "schedule": dag.schedule,
        "catchup": dag.catchup,
        "max_active_runs": dag.max_active_runs,
        "dagrun_timeout": seconds(dag.dagrun_timeout),
        "tags": sorted(dag.tags),
        "params": {name: dag.params[name] for name in dag.params},
        "page": dag.doc_md,
        "tasks": {task.task_id: task_facts(task) for task in dag.tasks},
    }


bag = DagBag(dag_folder=sys.argv[1])
errors = {Path(name).name: text.strip().splitlines()[-1] for name, text in bag.import_errors.items()}
facts = {"errors": errors, "dags": {name: dag_facts(dag) for name, dag in bag.dags.items()}}
sys.stdout.write(json.dumps(facts) + "\n")
