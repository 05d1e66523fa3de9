"""Class data sharing: classes of Spark and Delta, parsed and verified once, in a file that later starts of Java map.

A run over a few posts loads what any run loads; Java writes the archive when it ends. An archive of another Java or of
other jars is passed over by Java, and a missing one costs nothing but time.
"""

import io
import sys
import tempfile
from pathlib import Path
from textwrap import shorten

from pyspark import SparkContext

from local.cli.batch_command import check_batch, run_batch
from local.cli.command_options import build_parser
from local.cli.command_session import run_emulation
from local.notebooks.display import Screen
from local.notebooks.notebook_runner import Runner
from local.runtime.spark_session import CLASS_ARCHIVE, local_session

_POSTS = 100
_WRITE_SECONDS = 300


def create_archive() -> None:
    """Writes the archive; it appears whole or not at all, and any failure is raised."""
    CLASS_ARCHIVE.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory(prefix=".classes-", dir=CLASS_ARCHIVE.parent) as folder:
        unfinished, landing, warehouse = (Path(folder, name) for name in (CLASS_ARCHIVE.name, "landing", "warehouse"))
        generate = ("generate", "--posts", str(_POSTS), "--delivery", "dirty")
        run_emulation(*generate, "--database", f"{folder}/source.db", "--landing", str(landing), environment={})
        # Java prints a line about each class that it leaves out: thousands.
        java_options = (f"-XX:ArchiveClassesAtExit={unfinished}", "-Xlog:disable")
        spark = local_session(warehouse, java_options=java_options)
        places = ["--landing", str(landing), "--warehouse", str(warehouse), "--report", f"{folder}/report.html"]
        options = build_parser().parse_args(["batch", *places])
        run_batch(Runner(spark, Screen(io.StringIO())), check_batch(options), options)
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
        # Of a Java that does not end, the text has its whole command line.
        print(f"left out: {type(error).__name__}: {shorten(str(error), 200)}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
