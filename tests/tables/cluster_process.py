"""A process that ingests a landing on two executors in processes of their own, into tables that are there.

Argument: settings as JSON.
"""

import json
import os
import shutil
import sys
from pathlib import Path

import pyspark

from local.runtime.jars import fetch_delta_jars
from local.runtime.spark_session import start_local_session, stop_session
from pinterest_transforms.entities import ENTITIES
from pinterest_transforms.ingest.landing import ingest_landing
from pinterest_transforms.settings import Leg, Settings
from pinterest_transforms.tables.creation import register_tables
from tests.support.interpreting import INTERPRETED

CLUSTER = {
    **INTERPRETED,
    "spark.sql.shuffle.partitions": "2",
    "spark.master": "local-cluster[2,1,2048]",
    "spark.driver.memory": "1g",
    "spark.executor.memory": "2048m",
    "spark.executor.extraClassPath": os.pathsep.join(map(str, fetch_delta_jars())),
}

if __name__ == "__main__":
    settings = Settings(**json.loads(sys.argv[1]))
    spark = start_local_session(settings.warehouse, extra=CLUSTER)
    work = Path(pyspark.__file__).parent / "work" / str(spark.sparkContext.applicationId)
    try:
        leg = Leg(spark, settings)
        register_tables(leg)
        ingest_landing(leg, ENTITIES, "cluster")
        executors = {folder.name for folder in work.iterdir()}
    finally:
        stop_session(spark)
        shutil.rmtree(work, ignore_errors=True)
    sys.stdout.write(json.dumps(sorted(executors)))
