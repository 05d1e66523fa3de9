"""The last commits of a leg's tables: stored beside a checkpoint, and compared when it is opened again.

A checkpoint shows which records were read, not that the tables still hold them. A commit that a power cut took away, or
a table that was restored to an older version, would be a successful run over missing rows.

On one machine the files of the Delta log are read; a query of the history is a Spark job. Where a catalog
manages the tables there is only the history.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from pyspark.sql import Row

from pinterest_transforms.errors import CheckpointError, TableError
from pinterest_transforms.settings import Leg

_MAX_COMMITS = 1000
"""Maximum number of commits since the last run that are checked: Delta reads a file for each."""
_WRITES = {"MERGE": ("numTargetRowsInserted", "numTargetRowsUpdated"), "WRITE": ("numOutputRows",)}


@dataclass(frozen=True)
class Commit:
    """A commit of a Delta table.

    Attributes:
        version: the table's version.
        operation: such as ``MERGE``; empty where its file is empty or torn.
        fingerprint: of its content, the same in a copy of the warehouse.
        metrics: its operation metrics.
    """

    version: int
    operation: str
    fingerprint: str
    metrics: Mapping[str, str] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """Version and fingerprint: ``12:3f2a9c01d2e4``."""
        return f"{self.version}:{self.fingerprint}"

    @property
    def is_creation(self) -> bool:
        """True if nobody has written to the table since it was made."""
        return self.operation == "CREATE TABLE"

    @property
    def rows_written(self) -> int:
        """Rows it inserted or updated; 0 for maintenance."""
        return sum(int(self.metrics.get(name, 0)) for name in _WRITES.get(self.operation, ()))


def last_commit(leg: Leg, table: str) -> Commit:
    """The table's last commit.

    Raises:
        TableError: it has none.
    """
    return commits_since(leg, table, -1, limit=1)[0]


def commits_since(leg: Leg, table: str, version: int, *, limit: int = _MAX_COMMITS) -> list[Commit]:
    """Commits of a table from that version on, the newest first; the last one is among them in any case.

    Raises:
        TableError: the table has no commits.
    """
    folder = leg.settings.table_folder(table)
    if folder is not None:
        found = _from_files(folder / "_delta_log", version, limit)
    else:
        rows = leg.sql(f"DESCRIBE HISTORY {leg.qualified(table)} LIMIT {limit:d}").collect()
        found = [_from_history(row) for at, row in enumerate(rows) if at == 0 or row["version"] >= version]
    if not found:
        raise TableError(f"table {leg.settings.schema}.{table} must have a history, got none")
    return found


def _from_files(log: Path, version: int, limit: int) -> list[Commit]:
    files = sorted(log.glob("[0-9]*[0-9].json"), reverse=True)
    chosen = [file for at, file in enumerate(files[:limit]) if at == 0 or int(file.stem) >= version]
    return [_from_file(file) for file in chosen]


def _from_file(file: Path) -> Commit:
    content = file.read_bytes()
    info: dict[str, object] = {}
    for line in content.splitlines():
        try:
            action = json.loads(line)
        except ValueError:
            break
        if isinstance(action, dict) and "commitInfo" in action:
            info = action["commitInfo"]
            break
    metrics = info.get("operationMetrics")
    found = metrics if isinstance(metrics, dict) else {}
    return Commit(int(file.stem), str(info.get("operation", "")), _hash(content), found)


def _from_history(row: Row) -> Commit:
    # Its time is left out: Delta takes it from the file, and a copy of the table has other ones.
    metrics = row["operationMetrics"] or {}
    content = json.dumps([row["operation"], sorted(metrics.items())])
    return Commit(row["version"], row["operation"], _hash(content.encode()), metrics)


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:12]


def last_commit_ids(leg: Leg, names: Iterable[str]) -> dict[str, str]:
    """Returns ``Commit.id`` of each table's last commit, by the table's name."""
    names = list(names)
    with ThreadPoolExecutor(len(names)) as pool:
        return dict(zip(names, pool.map(lambda name: last_commit(leg, name).id, names), strict=True))


def check_commits(leg: Leg, known: Mapping[str, str], remedy: str) -> None:
    """Compares the tables with the commits that the last run left.

    Args:
        leg: session, names and places.
        known: ``Commit.id`` of each table's last commit after that run, by the table's name.
        remedy: what the error suggests to do.

    Raises:
        CheckpointError: a commit is gone or is another one, or the table was restored to an older version since.
    """
    with ThreadPoolExecutor(max(1, len(known))) as pool:
        list(pool.map(lambda name: _check_table(leg, name, known[name], remedy), known))


def _check_table(leg: Leg, name: str, known: str, remedy: str) -> None:
    label, version = f"table {leg.settings.schema}.{name}", int(known.partition(":")[0])
    newest = last_commit(leg, name)
    if newest.version < version:
        raise CheckpointError(
            f"{label} must be at version {version} or later, as the last run left it, got version "
            f"{newest.version}: a commit was lost; nothing was read; {remedy}"
        )
    since = [newest] if newest.version == version else commits_since(leg, name, version)
    for commit in since:
        # Delta removes commits after a month: a removed one cannot be compared.
        if commit.version == version and commit.id != known:
            raise CheckpointError(
                f"{label} must have in version {version} the commit that the last run left, got another or an empty "
                f"one: a commit was lost; nothing was read; {remedy}"
            )
        if commit.version > version and commit.operation == "RESTORE":
            raise CheckpointError(
                f"{label} must hold what the last run left, got a table that was restored in version "
                f"{commit.version}; nothing was read; {remedy}"
            )
