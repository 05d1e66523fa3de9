"""Calls ``local stack batch`` and then ``local stream`` in one process: Java starts and warms up once.

Arguments: those of the first command, ``--``, those of the second. ``stack batch`` makes the session, as it does alone,
and it stays. What each prints goes to the files ``batch.out`` and ``stream.out``.
"""

import sys
from contextlib import redirect_stdout
from pathlib import Path

from local.cli.local_cli import main
from local.runtime import spark_session
from tests.support.interpreting import INTERPRETED

settings = spark_session._spark_settings
# Cold, each plan would be compiled.
spark_session._spark_settings = lambda warehouse: {**settings(warehouse), **INTERPRETED}
spark_session.stop_running_session = lambda: None

given = sys.argv[1:]
at = given.index("--")
for name, arguments in (("batch", given[:at]), ("stream", given[at + 1 :])):
    with Path(f"{name}.out").open("w", encoding="utf-8") as out, redirect_stdout(out):
        code = main(arguments)
    if code:
        sys.exit(code)
