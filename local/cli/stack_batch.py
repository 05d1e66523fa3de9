"""The batch notebooks over the bucket of a running stack: ``s3a://``, as on a cluster, and tables on this machine."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import boto3
from pyspark.sql import SparkSession

from local.cli.batch_command import NOTEBOOKS, PARAMETERS, create_run_id
from local.notebooks.dbutils import DbutilsState, FileInfo, Filesystem
from local.notebooks.display import Screen
from local.notebooks.notebook_runner import Runner
from pinterest_transforms.settings import Settings

_SCHEME = "s3a://"


class Buckets(Filesystem):
    """``dbutils.fs`` that lists buckets too."""

    def __init__(self, endpoint: str | None) -> None:
        """Takes the address of S3; None for AWS' own."""
        super().__init__()
        self._s3 = boto3.client("s3", endpoint_url=endpoint)

    def ls(self, path: str) -> list[FileInfo]:
        """What is in a folder of this machine or of a bucket."""
        if not path.startswith(_SCHEME):
            return super().ls(path)
        bucket, _, key = path.removeprefix(_SCHEME).partition("/")
        prefix = f"{key.rstrip('/')}/" if key.strip("/") else ""
        found = self._s3.list_objects_v2(Bucket=bucket, Prefix=prefix, Delimiter="/")
        folders = [folder["Prefix"] for folder in found.get("CommonPrefixes", [])]
        return [
            FileInfo(f"{_SCHEME}{bucket}/{name}", f"{name.rstrip('/').rpartition('/')[2]}/", 0, 0) for name in folders
        ]


def run_notebooks(
    spark: SparkSession,
    names: Iterable[str],
    warehouse: Path,
    environment: Mapping[str, str],
    screen: Screen,
    progress: Callable[[str], None],
) -> None:
    """Runs batch notebooks over the stack's bucket; the answers go to the screen.

    Args:
        spark: a session with ``s3a_session.bucket_settings``.
        names: which ones.
        warehouse: folder of the tables.
        environment: of the stack.
        screen: where the notebooks display.
        progress: called with the name of each step.

    Raises:
        NotebookError: one fails.
    """
    state = DbutilsState()
    state.filesystem = Buckets(environment["AWS_ENDPOINT_URL_S3"])
    runner = Runner(spark, screen, state, progress)
    settings = Settings(user_id=environment["PINTEREST_USER_ID"], warehouse=str(warehouse))
    values = {
        "access": "external_location",
        "leg": settings.leg,
        "catalog": settings.catalog,
        "schema": settings.schema,
        "landing": environment["PINTEREST_LANDING"],
        "user_id": settings.user_id,
        "entity": "all",
        "run_id": create_run_id(),
        "warehouse": settings.warehouse,
        "rebuild": "false",
    }
    for name in names:
        runner.run(NOTEBOOKS / name, {key: values[key] for key in PARAMETERS[name]})
