"""The batch notebooks over the bucket of a running stack: ``s3a://``, as on a cluster, and tables on this machine."""

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import boto3
from pyspark.sql import SparkSession

from local.batch import NOTEBOOKS, PARAMETERS, new_run_id
from local.dbutils import Machine
from local.display import Screen
from local.filesystem import FileInfo, Filesystem
from local.jars import JAR_FOLDER, delta_jars, jar_files, listed
from local.java_process import SPARK_JARS
from local.notebook import Runner
from pinterest_transforms.settings import Settings

S3A_JARS = listed(Path(__file__).with_name("stack_s3a_jars.txt"))
S3A_FOLDER = JAR_FOLDER / "s3a"
_SCHEME = "s3a://"


def s3a_jars() -> list[Path]:
    """Files of the jars that Spark needs to read buckets, fetched where they are not there yet."""
    return jar_files(S3A_JARS, S3A_FOLDER)


def bucket_settings(environment: Mapping[str, str]) -> dict[str, str]:
    """Spark's settings to read buckets at ``AWS_ENDPOINT_URL``.

    Args:
        environment: of the stack.
    """
    return {
        # Behind Spark's own: a class archive fits a class path that begins as the one that it was made with.
        "spark.driver.extraClassPath": os.pathsep.join(map(str, [*delta_jars(), SPARK_JARS, *s3a_jars()])),
        "spark.hadoop.fs.s3a.endpoint": environment["AWS_ENDPOINT_URL"],
        "spark.hadoop.fs.s3a.endpoint.region": environment["AWS_DEFAULT_REGION"],
        "spark.hadoop.fs.s3a.path.style.access": "true",
        "spark.hadoop.fs.s3a.access.key": environment["AWS_ACCESS_KEY_ID"],
        "spark.hadoop.fs.s3a.secret.key": environment["AWS_SECRET_ACCESS_KEY"],
    }


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
        spark: a session with ``bucket_settings``.
        names: which ones.
        warehouse: folder of the tables.
        environment: of the stack.
        screen: where the notebooks display.
        progress: is told what is being done.

    Raises:
        NotebookError: one fails.
    """
    machine = Machine()
    machine.filesystem = Buckets(environment["AWS_ENDPOINT_URL"])
    runner = Runner(spark, screen, machine, progress)
    settings = Settings(user_id=environment["PINTEREST_USER_ID"], warehouse=str(warehouse))
    values = {
        "access": "external_location",
        "leg": settings.leg,
        "catalog": settings.catalog,
        "schema": settings.schema,
        "landing": environment["PINTEREST_LANDING"],
        "user_id": settings.user_id,
        "entity": "all",
        "run_id": new_run_id(),
        "warehouse": settings.warehouse,
        "rebuild": "false",
    }
    for name in names:
        runner.run(NOTEBOOKS / name, {key: values[key] for key in PARAMETERS[name]})
