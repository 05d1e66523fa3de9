"""``python -m local`` with a session that interprets its plans, as the tests' own: a cold one compiles each of them.

python -m tests.support.interpreted_command stream …
"""

import sys

from local.cli.local_cli import main
from local.runtime import spark_session
from tests.support.interpreting import INTERPRETED


def interpret() -> None:
    """Has the sessions that this process makes interpret their plans."""
    settings = spark_session._spark_settings
    spark_session._spark_settings = lambda warehouse: {**settings(warehouse), **INTERPRETED}


if __name__ == "__main__":
    interpret()
    sys.exit(main())
