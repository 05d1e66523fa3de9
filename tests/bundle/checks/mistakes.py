"""Mistakes to plant in the bundle's files: what they are, and how our resolver or our checks refuse them."""

from pathlib import Path
from typing import NamedTuple


class Mistake(NamedTuple):
    """One mistake in one file.

    Attributes:
        file: the file.
        before: what stands in it.
        after: what is put there.
        told: what our resolver or our checks say of it; the CLI's words are in ``cli/refused.json``.
        target: the target that it harms.
    """

    file: str
    before: str
    after: str
    told: str
    target: str = "staging"


_BATCH, _ROOT = "resources/batch.job.yml", "databricks.yml"
_RUN_AS = "run_as: &run_as\n      service_principal_name: ${var.service_principal}"

MISTAKES = {
    "a setting that is none": Mistake(
        _BATCH, "timeout_seconds: 7200", "timeout_second: 7200", "Unexpected field 'timeout_second'"
    ),
    "a task's setting that is none": Mistake(
        _BATCH, "notebook_path: ../notebooks/analyse.py", "notebook: x", "Unexpected field 'notebook'"
    ),
    "a task without a key": Mistake(
        _BATCH, "- task_key: analyse\n", "- task_kei: analyse\n", "Unexpected field 'task_kei'"
    ),
    "a metric that is none": Mistake(
        _BATCH, "RUN_DURATION_SECONDS", "RUN_SECONDS", "'RUN_SECONDS' is not a valid JobsHealthMetric"
    ),
    "a retry mode that is none": Mistake(
        "resources/stream.job.yml", "ON_FAILURE", "ALWAYS", "'ALWAYS' is not a valid TaskRetryMode"
    ),
    "a privilege that is none": Mistake(
        "resources/batch.schema.yml", "SELECT", "SELECT_ALL", "'SELECT_ALL' is not a valid Privilege"
    ),
    "a kind of resource that is none": Mistake(_BATCH, "  jobs:", "  job:", "unknown kind of resource job"),
    "a resource that is nothing": Mistake(
        _BATCH, "  jobs:\n", "  jobs:\n    empty:\n", "jobs.empty must have a plain key and a definition"
    ),
    "a key from a variable": Mistake(
        _BATCH,
        "pinterest_batch:\n      name",
        "pinterest_${var.user_id}:\n      name",
        "jobs.pinterest_${var.user_id} must have a plain key and a definition",
    ),
    "a key twice in one kind": Mistake(
        _BATCH, "pinterest_batch:\n", "pinterest_stream:\n", "jobs.pinterest_stream must be declared once"
    ),
    "a job and a schema of one key": Mistake(
        _BATCH, "pinterest_batch:\n", "batch:\n", "key batch must be of one kind of resource, got jobs and schemas"
    ),
    "a volume and a schema of one key": Mistake(
        "resources/stream_pipeline.volume.yml",
        "stream_pipeline:",
        "stream:",
        "key stream must be of one kind of resource, got schemas and volumes",
    ),
    "a scope and a schema of one key": Mistake(
        "resources/aws_keys.secret_scope.yml",
        "aws_keys:",
        "batch:",
        "key batch must be of one kind of resource, got secret_scopes and schemas",
    ),
    "a key in YAML and in Python": Mistake(
        "resources/batch_pipeline.volume.yml",
        "batch_pipeline:",
        "landing:",
        "volumes.landing must be declared once, in YAML or in Python",
    ),
    "a variable that is none": Mistake(_BATCH, "${var.user_id}", "${var.userid}", "${var.userid} must refer to"),
    "a setting of the bundle that is none": Mistake(
        "resources/batch.schema.yml", "${var.catalog}", "${bundle.catalog}", "${bundle.catalog} must refer to"
    ),
    "a resource that is none": Mistake(
        _BATCH, "schemas.batch.name", "schemas.bath.name", "schemas.bath.name} must refer"
    ),
    "a resource's field that is none": Mistake(
        _BATCH, "schemas.batch.name", "schemas.batch.nam", "schemas.batch.nam} must refer to something"
    ),
    "a resource that refers to itself": Mistake(
        "resources/batch.schema.yml",
        "name: ${var.batch_schema}",
        "name: ${resources.schemas.batch.name}",
        "${resources.schemas.batch.name} must not refer to itself",
    ),
    "a variable that refers to itself": Mistake(
        _ROOT, "default: user-${var.user_id}-bucket", "default: ${var.bucket}", "${var.bucket} must not refer to itself"
    ),
    "a target's variable that is none": Mistake(
        _ROOT,
        "secret_scope: pinterest_staging",
        "scope: x",
        "variable 'scope' of target staging must be declared",
    ),
    "a notebook that is not there": Mistake(
        _BATCH, "analyse.py", "analyze.py", "notebook must exist, got notebooks/analyze.py"
    ),
    "a file that is no notebook": Mistake(
        _BATCH, "../notebooks/analyse.py", "../resources/choices.py", "choices.py must begin as a notebook"
    ),
    "a task that waits for none": Mistake(
        _BATCH,
        "depends_on: &tables\n            - task_key: set_up_tables",
        "depends_on: &tables\n            - task_key: set_up_table",
        "depends_on must name a task of the job, got set_up_table",
    ),
    "a cluster that is none": Mistake(
        _BATCH,
        "job_cluster_key: main\n          libraries: *libraries\n          max_retries: 0",
        "job_cluster_key: big\n          libraries: *libraries\n          max_retries: 0",
        "must have a cluster or an environment of the job, got big and None",
    ),
    "a number that is none": Mistake(
        _BATCH, "timeout_seconds: 7200", "timeout_seconds: long", "invalid literal for int() with base 10: 'long'"
    ),
    "a file that is no YAML": Mistake(
        _BATCH, "    pinterest_batch:\n", "\tpinterest_batch:\n", "batch.job.yml must be YAML, got ScannerError"
    ),
    "a mode that is none": Mistake(
        _ROOT, "mode: production", "mode: prod", "mode must be development or production, got 'prod'"
    ),
    "a preset that is none": Mistake(_ROOT, "name_prefix:", "prefix:", "targets.staging: presets: unknown key prefix"),
    "a pause that is none": Mistake(
        _ROOT,
        "trigger_pause_status: PAUSED",
        "trigger_pause_status: STOPPED",
        "trigger_pause_status must be PAUSED or UNPAUSED, got 'STOPPED'",
    ),
    "a prefix in dev without the user": Mistake(
        _ROOT,
        "    mode: development\n",
        "    mode: development\n    presets:\n      name_prefix: dev_\n",
        "name_prefix must hold the user's name in mode development, got 'dev_'",
        "dev",
    ),
    "jobs that start by themselves in dev": Mistake(
        _ROOT,
        "    mode: development\n",
        "    mode: development\n    presets:\n      trigger_pause_status: UNPAUSED\n",
        "trigger_pause_status must not be UNPAUSED in mode development",
        "dev",
    ),
    "a root in a volume": Mistake(
        _ROOT,
        "root_path: /Workspace/Users/",
        "root_path: /Volumes/",
        "root_path must not be in /Volumes, got '/Volumes/",
    ),
    "a volume's computed path": Mistake(
        "resources/stream_pipeline.volume.yml",
        "      name: pipeline\n",
        "      name: pipeline\n      volume_path: /Volumes/a/b/c\n",
        "Unexpected field 'volume_path'",
    ),
    "a bundle's setting that is none": Mistake(
        _ROOT, "  engine: direct", "  engin: direct", "bundle: unknown key engin"
    ),
    "an engine that is none": Mistake(
        _ROOT, "  engine: direct", "  engine: indirect", "engine must be direct or terraform, got 'indirect'"
    ),
    "includes without a file": Mistake(
        _ROOT, "resources/*.yml", "resources/batches.yml", "must name YAML or JSON files, got 'resources/batches.yml'"
    ),
    "a pattern without a file": Mistake(
        _ROOT, "resources/*.yml", "resource/*.yml", "must name YAML or JSON files, got 'resource/*.yml'"
    ),
    "includes of Python": Mistake(
        _ROOT, "resources/*.yml", "resources/*", "must name YAML or JSON files, got 'resources/*'"
    ),
    "a folder to upload that is not there": Mistake(
        _ROOT, "- notebooks", "- notebook", "sync.paths must name what is there, got 'notebook'"
    ),
    "a function that is none": Mistake(
        _ROOT, "choices:compute", "choices:computing", "Name 'computing' not found in module"
    ),
    "a level that is none": Mistake(
        _ROOT,
        "- level: CAN_MANAGE\n        group_name",
        "- level: CAN_MANAG\n        group_name",
        "level must be CAN_MANAGE or CAN_VIEW or CAN_RUN, got 'CAN_MANAG'",
    ),
    "a run as a group": Mistake(
        _ROOT, _RUN_AS, "run_as: &run_as\n      group_name: x", "run_as: unknown key group_name"
    ),
    "a run as two": Mistake(
        _ROOT,
        _RUN_AS,
        f"{_RUN_AS}\n      user_name: a",
        "run_as must name a service principal or a user",
    ),
}


def plant(mistake: Mistake, root: Path) -> None:
    """Plants a mistake in a copy of the bundle; the place must be there."""
    path = root / mistake.file
    text = path.read_text(encoding="utf-8")
    assert mistake.before in text
    path.write_text(text.replace(mistake.before, mistake.after), encoding="utf-8")
