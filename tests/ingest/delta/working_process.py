"""A process that sets up the work's tables, takes one entity's landing, and kills itself in the first micro-batch.

Arguments: the settings as JSON, the entity, the `module.function` after which it dies, and the tables. It says `ready`
when Spark has started, and goes on when it is told anything.
"""

import json
import os
import signal
import sys
from importlib import import_module

from local.runtime.spark_session import start_local_session
from pinterest_transforms.entities import entity_named
from pinterest_transforms.ingest.landing import ingest_landing
from pinterest_transforms.settings import Leg, Settings
from tests.conftest import TEST_SETTINGS
from tests.support.interpreting import INTERPRETED
from tests.support.table_places import set_up_only


def die_after(step: str) -> None:
    """The first call of that function is the last thing this process does."""
    name, _, function = step.rpartition(".")
    module = import_module(f"pinterest_transforms.{name}")
    work = getattr(module, function)

    def dying(*given: object, **named: object) -> None:
        work(*given, **named)
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(module, function, dying)


if __name__ == "__main__":
    settings, entity = Settings(**json.loads(sys.argv[1])), entity_named(sys.argv[2])
    die_after(sys.argv[3])
    spark = start_local_session(settings.warehouse, extra=TEST_SETTINGS | INTERPRETED | {"spark.driver.memory": "1g"})
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    if not sys.stdin.readline():  # the tests are gone
        sys.exit(1)
    leg = Leg(spark, settings)
    set_up_only(leg, *sys.argv[4:])
    ingest_landing(leg, [entity], "process")
