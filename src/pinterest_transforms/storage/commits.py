"""The last commits of a leg's tables: kept beside a checkpoint, and compared when it is opened again.

A checkpoint says which records were read, not that the tables still hold them. A commit that a power cut took away, or
a table that was restored to an older version, would be a successful run over missing rows.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor

from pyspark.sql import Row, SparkSession

from pinterest_transforms.errors import CheckpointError
from pinterest_transforms.settings import Settings
from pinterest_transforms.storage import tables

_MAX_COMMITS = 1000
"""Commits since the last run that are looked at: Delta reads a file for each."""


def commit_id(commit: Row) -> str:
    """Version and fingerprint of a commit, a row of ``DESCRIBE HISTORY``: ``12:3f2a9c01d2e4``.

    Its time is left out: Delta takes it from the file, and a copy of the warehouse has other ones.
    """
    content = [commit["operation"], sorted((commit["operationMetrics"] or {}).items())]
    return f"{commit['version']}:{hashlib.sha256(json.dumps(content).encode()).hexdigest()[:12]}"


def last_commit_ids(spark: SparkSession, settings: Settings, names: Iterable[str]) -> dict[str, str]:
    """Returns the ``commit_id`` of each table's last commit, by the table's name."""
    names = list(names)
    with ThreadPoolExecutor(len(names)) as pool:
        return dict(
            zip(names, pool.map(lambda name: commit_id(tables.last_commit(spark, settings, name)), names), strict=True)
        )


def check_commits(spark: SparkSession, settings: Settings, known: Mapping[str, str], remedy: str) -> None:
    """Compares the tables with the commits that the last run left.

    Args:
        spark: session.
        settings: names and places.
        known: ``commit_id`` of each table's last commit after that run, by the table's name.
        remedy: what an error says can be done.

    Raises:
        CheckpointError: a commit is gone or is another one, or the table was restored to an older version since.
    """
    with ThreadPoolExecutor(max(1, len(known))) as pool:
        list(pool.map(lambda name: _check_table(spark, settings, name, known[name], remedy), known))


def _check_table(spark: SparkSession, settings: Settings, name: str, known: str, remedy: str) -> None:
    label, version = f"table {settings.schema}.{name}", int(known.partition(":")[0])
    newest = tables.last_commit(spark, settings, name)
    count = int(newest["version"]) - version + 1
    if count < 1:
        raise CheckpointError(
            f"{label} must be at version {version} or later, as the last run left it, got version "
            f"{newest['version']}: a commit was lost; nothing was read; {remedy}"
        )
    since = [newest] if count == 1 else tables.history(spark, settings, name, min(count, _MAX_COMMITS))
    for commit in since:
        # Delta removes commits after a month: what is no longer there cannot be compared.
        if commit["version"] == version and commit_id(commit) != known:
            raise CheckpointError(
                f"{label} must have in version {version} the commit that the last run left, got another or an empty "
                f"one: a commit was lost; nothing was read; {remedy}"
            )
        if commit["version"] > version and commit["operation"] == "RESTORE":
            raise CheckpointError(
                f"{label} must hold what the last run left, got a table that was restored in version "
                f"{commit['version']}; nothing was read; {remedy}"
            )
