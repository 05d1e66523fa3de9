"""Fetches Delta's jars once, into a git-ignored folder of the project; ``python -m local jars``.

Resolving them at each start of Spark costs seconds and a wall of text. Ivy, which pyspark ships, fetches them here
without a Spark session. Only what pyspark lacks is taken: of all that delta-spark names, tables, MERGE, deletion
vectors, OPTIMIZE and streams need these two jars, over a classic session and over Spark Connect alike.
"""

import hashlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import quoteattr

import pyspark

from local import PROJECT
from local.runtime.java import check_java, run_java
from local.runtime.spark_environment import build_identity_options
from pinterest_transforms.errors import PinterestError

JAR_FOLDER = PROJECT / ".make" / "jars"
_SECONDS = 600
_NAMED = 3


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


_DELTA_SPARK_SHA256 = "75a9400986853c061f5109f012547de2545a5759e5e752e5ef633dabe16a4f10"
_DELTA_STORAGE_SHA256 = "c46735481fa8e326b0957be02b4420cbcab4b325bb08009b7f2045a95133f1cc"
DELTA = (
    Jar("io.delta", "delta-spark_4.1_2.13", "4.4.0", _DELTA_SPARK_SHA256),
    Jar("io.delta", "delta-storage", "4.4.0", _DELTA_STORAGE_SHA256),
)


def fetch_delta_jars(folder: Path = JAR_FOLDER) -> list[Path]:
    """Files of Delta's jars; see ``fetch_jar_files``."""
    return fetch_jar_files(DELTA, folder)


def fetch_jar_files(jars: Sequence[Jar], folder: Path) -> list[Path]:
    """Files of jars; fetched, with a line of progress, where they are missing."""
    missing = [jar for jar in jars if not (folder / jar.file_name).is_file()]
    if missing:
        names = [jar.file_name for jar in missing]
        listed = ", ".join(names) if len(names) <= _NAMED else f"{names[0]} and {len(names) - 1} others"
        print(f"fetching {listed} once into {folder}", file=sys.stderr)
        download_jars(missing, folder)
    return [folder / jar.file_name for jar in jars]


def read_jar_list(file: Path) -> list[Jar]:
    """Jars of a list: organisation, module, revision and SHA-256 on each line."""
    return [Jar(*line.split()) for line in file.read_text(encoding="ascii").splitlines()]


def download_jars(jars: Iterable[Jar], folder: Path) -> None:
    """Fetches jars into a folder; each appears there whole and checked, or not at all.

    Raises:
        JarError: if one cannot be had or has other content.
    """
    wanted = list(jars)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".fetching-", dir=folder) as temporary:
        work = Path(temporary)
        _run_ivy(wanted, work)
        for jar in wanted:
            fetched = work / "got" / jar.file_name
            if not fetched.is_file():
                raise JarError(f"{jar.file_name} was not fetched, and Ivy gave no reason")
            _check(fetched, jar)
            fetched.replace(folder / jar.file_name)


def _check(file: Path, jar: Jar) -> None:
    found = hashlib.sha256(file.read_bytes()).hexdigest()
    if found != jar.sha256:
        raise JarError(f"{jar.file_name} must have the SHA-256 {jar.sha256}, got one with {found}")


def _run_ivy(jars: list[Jar], work: Path) -> None:
    command = [check_java(), *build_identity_options(), f"-Divy.default.ivy.user.dir={work}"]
    # The way Spark itself is pointed at a company's mirror.
    if mirror := os.environ.get("DEFAULT_ARTIFACT_REPOSITORY"):
        command.append(f"-Divy.ibiblio.default.artifact.root={mirror}")
    command += ["-jar", str(_find_ivy()), "-ivy", str(_write_ivy_file(jars, work)), "-cache", str(work / "cache")]
    command += ["-types", "jar", "bundle", "-retrieve", str(work / "got" / "[artifact]-[revision].[ext]")]
    try:
        code, printed = run_java(command, _SECONDS)
    except subprocess.TimeoutExpired as error:
        raise JarError(f"the jars could not be fetched within {_SECONDS} s") from error
    if code != 0:
        raise JarError(f"the jars could not be fetched: {_find_reason(printed)}")


def _find_ivy() -> Path:
    ivy = next(Path(pyspark.__file__).parent.glob("jars/ivy-*.jar"), None)
    if ivy is None:
        raise JarError("pyspark must bring Ivy in its jars folder, and there is none")
    return ivy


def _write_ivy_file(jars: list[Jar], work: Path) -> Path:
    dependencies = "".join(
        f"<dependency org={quoteattr(jar.organisation)} name={quoteattr(jar.module)} rev={quoteattr(jar.revision)}"
        ' conf="default->master,default" transitive="false"/>'
        for jar in jars
    )
    wish = work / "ivy.xml"
    wish.write_text(
        '<ivy-module version="2.0"><info organisation="local" module="jars"/><configurations><conf name="default"/>'
        f"</configurations><dependencies>{dependencies}</dependencies></ivy-module>",
        encoding="utf-8",
    )
    return wish


def _find_reason(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    telling = [line for line in lines if "unresolved dependency" in line or "Exception" in line or "FAILED" in line]
    return (telling or lines or ["Ivy printed nothing"])[0]
