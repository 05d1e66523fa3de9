"""A process that sets up and takes one entity's landing; it may be told to kill itself at a moment.

Arguments: the settings as JSON, the entity, and `module.function` after which it dies in its second micro-batch.
"""

import json
import os
import signal
import sys
from importlib import import_module

from conftest import INTERPRETED, TEST_SETTINGS

from local.session import local_session, stop_session
from pinterest_transforms.entities import entity_named
from pinterest_transforms.settings import Settings
from pinterest_transforms.storage import landing, tables


def die_after(step: str) -> None:
    """The second call of that function is the last thing this process does."""
    name, _, function = step.rpartition(".")
    module = import_module(f"pinterest_transforms.storage.{name}")
    work, calls = getattr(module, function), []

    def dying(*given: object, **named: object) -> object:
        result = work(*given, **named)
        calls.append(step)
        if len(calls) == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(module, function, dying)


if __name__ == "__main__":
    settings, entity = Settings(**json.loads(sys.argv[1])), entity_named(sys.argv[2])
    if len(sys.argv) > 3:
        die_after(sys.argv[3])
    spark = local_session(settings.warehouse, extra=TEST_SETTINGS | INTERPRETED | {"spark.driver.memory": "1g"})
    tables.set_up(spark, settings)
    landing.take_landing(spark, settings, entity, "process")
    stop_session(spark)
