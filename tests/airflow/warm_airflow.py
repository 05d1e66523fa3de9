"""Run by Airflow's own Python: runs Airflow's commands, each in a copy (fork) of a process that has imported Airflow.

The import takes longer than most commands. For each a line of JSON comes in: its words (a command of ``airflow``, or a
Python file and its arguments), its environment, the file for its output. A line with its exit code goes out.
"""

import json
import os
import runpy
import sys
import traceback
from importlib import import_module

from airflow import settings
from airflow.__main__ import main
from airflow.models import import_all_models
from airflow.sdk.execution_time.supervisor import in_process_api_server
from sqlalchemy.orm import configure_mappers

# What a run of a DAG with Databricks' operators imports, from the command to the task.
for name in (
    "api_fastapi.execution_api.app",
    "cli.commands.dag_command",
    "dag_processing.dagbag",
    "providers.databricks.operators.databricks",
    "providers.databricks.triggers.databricks",
    "sdk.execution_time.supervisor",
    "sdk.execution_time.task_runner",
    "serialization.serialized_objects",
):
    import_module(f"airflow.{name}")
# What each run would make again: the API that a task speaks to (its event loop begins with the first call), the models.
import_all_models()
configure_mappers()
assert in_process_api_server().app


def run(words):
    """Runs a command; its exit code."""
    try:
        if words[0].endswith(".py"):
            sys.argv = words
            runpy.run_path(words[0], run_name="__main__")
        else:
            sys.argv = ["airflow", *words]
            main()
    except SystemExit as ended:
        if ended.code is None or isinstance(ended.code, int):
            return ended.code or 0
        sys.stderr.write(f"{ended.code}\n")
        return 1
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def run_in_a_copy(words, environment, output):
    """Forks, and runs a command there; its exit code."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    code = 1
    try:
        file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        for number in (1, 2):
            os.dup2(file, number)
        os.environ.update(environment)
        os.chdir(environment["AIRFLOW_HOME"])
        # Its database and its folder of DAGs.
        settings.configure_vars()
        settings.reconfigure_orm()
        code = run(words)
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


for line in sys.stdin:
    asked = json.loads(line)
    sys.stdout.write(f"{run_in_a_copy(**asked)}\n")
    sys.stdout.flush()
