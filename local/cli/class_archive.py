"""Class data sharing: classes of Spark and Delta, parsed and verified once, in a file that later starts of Java map.

A run over a few posts loads what any run loads; Java writes the archive when it ends. An archive of another Java or of
other jars is passed over by Java, and a missing one costs nothing but time.
"""

import io
import subprocess
import sys
import tempfile
from pathlib import Path

from pyspark import SparkContext

from local import PROJECT
from local.cli.batch_command import check_batch, run_batch
from local.cli.command_options import build_parser
from local.notebooks.display import Screen
from local.notebooks.notebook_runner import Runner
from local.runtime.spark_session import CLASS_ARCHIVE, local_session
from pinterest_transforms.settings import DEFAULT_USER_ID

_POSTS = 100
_WRITE_SECONDS = 300


def create_archive() -> None:
    """Writes the archive; it appears whole or not at all.

    Raises:
        PinterestError: the run failed.
        subprocess.CalledProcessError: the posts could not be made.
        subprocess.TimeoutExpired: Java did not end.
    """
    CLASS_ARCHIVE.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory(prefix=".classes-", dir=CLASS_ARCHIVE.parent) as temporary:
        folder, unfinished = Path(temporary), Path(temporary, CLASS_ARCHIVE.name)
        generate = ["generate", "--posts", str(_POSTS), "--delivery", "dirty"]
        places = ["--database", str(folder / "source.db"), "--landing", str(folder / "landing")]
        subprocess.run(  # noqa: S603 - this project's own command
            [sys.executable, "-m", "emulation", *generate, *places], cwd=PROJECT, check=True, stdout=subprocess.DEVNULL
        )
        # Java prints a line about each class that it leaves out: thousands.
        options = (f"-XX:ArchiveClassesAtExit={unfinished}", "-Xlog:disable")
        spark = local_session(folder / "warehouse", java_options=options)
        command = ["batch", "--report", str(folder / "report.html")]
        for name in ("landing", "warehouse"):
            command += [f"--{name}", str(folder / name)]
        batch = build_parser().parse_args([*command, "--user-id", DEFAULT_USER_ID])
        run_batch(Runner(spark, Screen(io.StringIO())), check_batch(batch), batch)
        java = SparkContext._gateway.proc  # type: ignore[union-attr]
        spark.stop()
        # Java ends when nobody writes to it any more, and writes the archive then.
        java.stdin.close()
        java.wait(_WRITE_SECONDS)
        unfinished.replace(CLASS_ARCHIVE)


def main() -> int:
    """Writes the archive; 0 also where that fails, since everything works without."""
    print("preparing Java's start once (class data sharing)", file=sys.stderr)
    try:
        create_archive()
    except Exception as error:
        print(f"left out: {type(error).__name__}: {error}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
