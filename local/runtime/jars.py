"""Fetches Delta's jars once, into a git-ignored folder of the project; ``python -m local jars``.

Resolving them at each start of Spark costs seconds and a wall of text. Only what pyspark lacks is taken: of all that
delta-spark names, tables, MERGE, deletion vectors, OPTIMIZE and streams need these two jars, over a classic session and
over Spark Connect alike.
"""

import hashlib
import os
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyspark

from local import PROJECT
from pinterest_transforms.errors import PinterestError

JAR_FOLDER = PROJECT / ".make" / "jars"
_SECONDS = 60


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

    @property
    def path(self) -> str:
        """Its path in a Maven repository."""
        return f"{self.organisation.replace('.', '/')}/{self.module}/{self.revision}/{self.file_name}"


def read_jar_list(file: Path) -> list[Jar]:
    """Jars of a list: organisation, module, revision and SHA-256 on each line."""
    return [Jar(*line.split()) for line in file.read_text(encoding="ascii").splitlines()]


DELTA = read_jar_list(Path(__file__).with_name("delta_jars.txt"))


def fetch_delta_jars(folder: Path = JAR_FOLDER) -> list[Path]:
    """Files of Delta's jars; see ``fetch_jar_files``."""
    return fetch_jar_files(DELTA, folder)


def fetch_jar_files(jars: Sequence[Jar], folder: Path) -> list[Path]:
    """Files of jars; fetched, with a line of progress, where they are missing."""
    missing = [jar for jar in jars if not (folder / jar.file_name).is_file()]
    if missing:
        print(f"fetching {len(missing)} of {len(jars)} jars once into {folder}", file=sys.stderr)
        download_jars(missing, folder)
    return [folder / jar.file_name for jar in jars]


def _default_repository() -> str:
    """Where Spark looks for packages, as the Ivy that comes with pyspark has it: Maven Central."""
    [ivy] = (Path(pyspark.__file__).parent / "jars").glob("ivy-*.jar")
    with zipfile.ZipFile(ivy) as jar:
        properties = jar.read("org/apache/ivy/core/settings/repository.properties").decode()
    return properties.partition("ivy.ibiblio.default.artifact.root = ")[2].split()[0]


def download_jars(jars: Iterable[Jar], folder: Path) -> None:
    """Downloads jars from a Maven repository into a folder; each appears there whole and checked, or not at all.

    Raises:
        JarError: if one cannot be had or has other content.
    """
    import requests  # noqa: PLC0415 - slow to import, and only wanted once

    # The variable by which Spark itself is pointed at a company's mirror.
    repository = os.environ.get("DEFAULT_ARTIFACT_REPOSITORY") or _default_repository()
    folder.mkdir(parents=True, exist_ok=True)
    with requests.Session() as session, tempfile.TemporaryDirectory(prefix=".fetching-", dir=folder) as temporary:
        for jar in jars:
            try:
                response = session.get(f"{repository.rstrip('/')}/{jar.path}", timeout=_SECONDS)
            except requests.RequestException as error:
                why = f"no answer of the Maven repository ({type(error).__name__})"
                raise JarError(
                    f"{jar.file_name} could not be fetched: {why}; DEFAULT_ARTIFACT_REPOSITORY may name another"
                ) from None
            if not response.ok:
                raise JarError(f"{jar.file_name} could not be fetched: {response.status_code} {response.reason}")
            if (found := hashlib.sha256(response.content).hexdigest()) != jar.sha256:
                raise JarError(f"{jar.file_name} must have the SHA-256 {jar.sha256}, got one with {found}")
            file = Path(temporary, jar.file_name)
            file.write_bytes(response.content)
            file.replace(folder / jar.file_name)
