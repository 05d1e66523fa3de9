"""Fetches Delta's jars once, into a git-ignored folder of the project; ``python -m local jars``.

Resolving them at each start of Spark costs seconds and a wall of text. Only what pyspark lacks is taken: of all that
delta-spark names, tables, MERGE, deletion vectors, OPTIMIZE and streams need these two jars, over a classic session and
over Spark Connect alike.
"""

import hashlib
import multiprocessing
import os
import sys
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pyspark

from local import PROJECT
from pinterest_transforms.errors import PinterestError

JAR_FOLDER = PROJECT / ".make" / "jars"
_SECONDS, _MAX_SECONDS = 60, 900
"""How long a server may be silent, and how long one jar may take: the largest has ten megabytes."""


class JarError(PinterestError):
    """A jar could not be fetched, or is not what it must be."""


@dataclass(frozen=True)
class Jar:
    """One jar: its coordinates, and the SHA-256 that a fetched copy must have."""

    organisation: str
    module: str
    revision: str
    sha256: str

    @property
    def file_name(self) -> str:
        """Name of its file in the folder."""
        return f"{self.module}-{self.revision}.jar"


def read_jar_list(file: Path) -> list[Jar]:
    """Jars of a list: organisation, module, revision and SHA-256 on each line."""
    return [Jar(*line.split()) for line in file.read_text(encoding="ascii").splitlines()]


DELTA = read_jar_list(Path(__file__).with_name("delta_jars.txt"))


def fetch_delta_jars(folder: Path = JAR_FOLDER) -> list[Path]:
    """Files of Delta's jars; see ``fetch_jar_files``."""
    return fetch_jar_files(DELTA, folder)


def fetch_jar_files(jars: Sequence[Jar], folder: Path) -> list[Path]:
    """Files of jars. What is missing is fetched, with a line of progress, and appears whole and checked or not at all.

    Raises:
        JarError: if one cannot be had or has other content.
    """
    missing = [jar for jar in jars if not (folder / jar.file_name).is_file()]
    if missing:
        print(f"fetching {len(missing)} of {len(jars)} jars once into {folder}", file=sys.stderr)
        _download(missing, folder)
    return [folder / jar.file_name for jar in jars]


def _default_repository() -> str:
    """Where Spark looks for packages, as the Ivy that comes with pyspark has it: Maven Central."""
    [ivy] = (Path(pyspark.__file__).parent / "jars").glob("ivy-*.jar")
    with zipfile.ZipFile(ivy) as jar:
        properties = jar.read("org/apache/ivy/core/settings/repository.properties").decode()
    return properties.partition("ivy.ibiblio.default.artifact.root = ")[2].split()[0]


def _download(jars: Sequence[Jar], folder: Path) -> None:
    from multiprocessing.pool import ThreadPool  # noqa: PLC0415 - slow to import, and only wanted once

    import requests  # noqa: PLC0415

    # The variable by which Spark itself is pointed at a company's mirror.
    repository = (os.environ.get("DEFAULT_ARTIFACT_REPOSITORY") or _default_repository()).rstrip("/")
    folder.mkdir(parents=True, exist_ok=True)
    # In a thread, since a time-out of requests bounds each read, not all of them.
    with requests.Session() as http, ThreadPool(1) as pool, TemporaryDirectory(prefix=".fetching-", dir=folder) as part:
        for jar in jars:
            url = "/".join([repository, *jar.organisation.split("."), jar.module, jar.revision, jar.file_name])
            try:
                response = pool.apply_async(http.get, [url], {"timeout": _SECONDS}).get(_MAX_SECONDS)
            except (requests.RequestException, multiprocessing.TimeoutError) as error:
                why = f"no complete answer of the Maven repository ({type(error).__name__})"
                raise JarError(
                    f"{jar.file_name} could not be fetched: {why}; DEFAULT_ARTIFACT_REPOSITORY may name another"
                ) from None
            if not response.ok:
                raise JarError(f"{jar.file_name} could not be fetched: {response.status_code} {response.reason}")
            if (found := hashlib.sha256(response.content).hexdigest()) != jar.sha256:
                raise JarError(f"{jar.file_name} must have the SHA-256 {jar.sha256}, got one with {found}")
            file = Path(part, jar.file_name)
            file.write_bytes(response.content)
            file.replace(folder / jar.file_name)
