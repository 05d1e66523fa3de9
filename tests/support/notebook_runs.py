"""The batch notebooks, the very files, run once over a small dirty landing, for several files of tests."""

from io import StringIO
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from emulation.synthetic.delivery import DIRTY
from emulation.synthetic.generator import generate_rows
from emulation.synthetic.landing_writer import write_landing
from local.notebooks.display import Screen
from local.notebooks.notebook_runner import Runner
from pinterest_transforms.entities import ENTITIES
from pinterest_transforms.settings import Leg, Settings
from pinterest_transforms.tables import maintenance
from pinterest_transforms.tables.definitions import answer_specs

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
POSTS, SCHEMA, STREAM_SCHEMA = 300, "notebook_runs", "notebook_streams"


class Ran:
    """The batch notebooks, run one after another."""

    def __init__(self, spark: SparkSession, folder: Path) -> None:
        self.spark = spark
        self.out = StringIO()
        self.runner = Runner(spark, Screen(self.out))
        self.settings = Settings(schema=SCHEMA, landing=str(folder / "landing"), warehouse=str(folder / "warehouse"))
        self.leg = Leg(spark, self.settings)
        self.exits: dict[str, str] = {}
        self.shown: dict[str, str] = {}

    def run(self, name: str, **parameters: str) -> str:
        landing, run = {"landing": self.settings.landing}, {"run_id": "first"}
        place = {"catalog": "spark_catalog", "schema": SCHEMA, "warehouse": self.settings.warehouse}
        values = {
            "mount_s3": landing,
            "check_landing": {**place, **landing},
            "set_up_tables": place,
            "clean_batch": {**place, **landing, **run},
            "analyse": {**place, **landing, "explain": "top_category_by_year post_year=2020", "explain_raw": "yes"},
            "check_quality": {**place, **run},
            "maintain": place,
            "erase": {**place, **landing, "ind": "1, 2"},
            "stream_kinesis": {**place, "schema": STREAM_SCHEMA},
        }
        shown_before = len(self.out.getvalue())
        self.exits[name] = self.runner.run(NOTEBOOKS / name, {**values[name], **parameters})
        self.shown.setdefault(name, self.out.getvalue()[shown_before:])
        return self.exits[name]

    def table(self, name: str) -> int:
        return self.leg.table(name).count()


def run_batch_notebooks(spark: SparkSession, folder: Path) -> Ran:
    """Writes a landing of all that is dirty in real posts, and runs the notebooks over it."""
    ran = Ran(spark, folder)
    for entity in ENTITIES:
        rows = (row for chunk in generate_rows(entity, POSTS, 5) for row in chunk)
        write_landing(rows, entity, ran.settings, delivery=DIRTY)
    with pytest.MonkeyPatch.context() as patched:
        # What is done to one answer is done to each: a VACUUM takes seconds.
        patched.setattr(maintenance, "answer_specs", lambda: answer_specs()[:1])
        for name in (
            "mount_s3",
            "check_landing",
            "set_up_tables",
            "clean_batch",
            "analyse",
            "check_quality",
            "maintain",
            "erase",
        ):
            ran.run(name)
    return ran
