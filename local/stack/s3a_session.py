"""Jars and settings by which a session of Spark reads buckets (``s3a://``)."""

import os
from collections.abc import Mapping
from pathlib import Path

from local.runtime.jars import JAR_FOLDER, fetch_delta_jars, fetch_jar_files, read_jar_list
from local.runtime.spark_java_process import SPARK_JARS

S3A_JARS = read_jar_list(Path(__file__).with_name("s3a_jars.txt"))


def fetch_s3a_jars() -> list[Path]:
    """Files of the jars that Spark needs to read buckets, fetched where they are not there yet."""
    return fetch_jar_files(S3A_JARS, JAR_FOLDER / "s3a")


def build_s3a_settings(environment: Mapping[str, str]) -> dict[str, str]:
    """Spark's settings to read the buckets of the stack that has this environment."""
    return {
        # Behind Spark's own: a class archive fits a class path that begins as the one that it was made with.
        "spark.driver.extraClassPath": os.pathsep.join(map(str, [*fetch_delta_jars(), SPARK_JARS, *fetch_s3a_jars()])),
        "spark.hadoop.fs.s3a.endpoint": environment["AWS_ENDPOINT_URL_S3"],
        "spark.hadoop.fs.s3a.endpoint.region": environment["AWS_DEFAULT_REGION"],
        "spark.hadoop.fs.s3a.path.style.access": "true",
        "spark.hadoop.fs.s3a.access.key": environment["AWS_ACCESS_KEY_ID"],
        "spark.hadoop.fs.s3a.secret.key": environment["AWS_SECRET_ACCESS_KEY"],
    }
