"""Class data sharing: classes of Spark and Delta, parsed and verified once, in a file that later starts of Java map.

Java writes it when it ends, after a run over a few posts, and passes over one of another Java or of other jars.
"""

import argparse
import io
import shutil
import sys
import tempfile
from pathlib import Path

from pyspark import SparkContext

from local.cli.batch_command import check_batch, run_batch
from local.cli.command_options import build_parser
from local.cli.command_session import run_emulation
from local.notebooks.display import Screen
from local.notebooks.notebook_runner import Runner
from local.runtime.java import JavaError
from local.runtime.spark_session import CLASS_ARCHIVE, start_local_session
from pinterest_transforms.error_format import one_line, shorten


def create_archive() -> None:
    """Writes the archive; it appears whole or not at all, and any failure is raised."""
    CLASS_ARCHIVE.unlink(missing_ok=True)
    for leftover in CLASS_ARCHIVE.parent.glob(".classes-*"):  # of a command that was ended
        shutil.rmtree(leftover, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=".classes-", dir=CLASS_ARCHIVE.parent) as folder:
        unfinished, landing, warehouse = (Path(folder, name) for name in (CLASS_ARCHIVE.name, "landing", "warehouse"))
        generate = ("generate", "--posts", "100", "--delivery", "dirty")
        run_emulation(*generate, "--database", f"{folder}/source.db", "--landing", str(landing), environment={})
        # Java prints a line about each class that it leaves out: thousands.
        java_options = (f"-XX:ArchiveClassesAtExit={unfinished}", "-Xlog:disable")
        spark = start_local_session(warehouse, java_options=java_options)
        places = ["--landing", str(landing), "--warehouse", str(warehouse), "--report", f"{folder}/report.html"]
        options = build_parser().parse_args(["batch", *places])
        run_batch(Runner(spark, Screen(io.StringIO())), check_batch(options), options)
        java = SparkContext._gateway.proc  # type: ignore[union-attr]
        spark.stop()
        java.stdin.close()  # now Java ends, and writes the archive
        java.wait(timeout=300)
        if not unfinished.is_file():
            raise JavaError("Java wrote none; one without lib/server/classes.jsa cannot (java -Xshare:dump makes that)")
        unfinished.replace(CLASS_ARCHIVE)


def run(_: argparse.Namespace) -> None:
    """Runs the command; a failure is no error, since everything works without."""
    print("preparing quicker starts of Java (class data sharing): once, about a minute", file=sys.stderr)
    try:
        create_archive()
    except Exception as error:
        # Of a Java that does not end, the text has its whole command line.
        print(f"no archive, each start takes some seconds longer: {shorten(one_line(error), 200)}", file=sys.stderr)
