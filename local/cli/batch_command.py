"""``python -m local batch``: the batch notebooks, over any folder in the sink's layout, on this machine."""

import argparse
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

from local import PROJECT
from local.cli.command_session import open_runner
from pinterest_transforms.entities import ENTITIES, entities_named
from pinterest_transforms.errors import LandingError, SettingsError
from pinterest_transforms.settings import Settings

if TYPE_CHECKING:
    from local.notebooks.notebook_runner import Runner

NOTEBOOKS = PROJECT / "notebooks"
BATCH_NOTEBOOKS = ("mount_s3", "clean_batch", "analyse")


@dataclass(frozen=True)
class BatchRun:
    """One run of the batch notebooks.

    Attributes:
        landing: folder that has ``topics/…``.
        warehouse: folder of the tables.
        user_id: whose topics.
        entity: ``all``, or one of ``pin``, ``geo``, ``user``.
        rebuild: whether everything is cleaned again.
        report: file of the report; None for none.
    """

    landing: Path
    warehouse: Path
    user_id: str
    entity: str = "all"
    rebuild: bool = False
    report: Path | None = None

    def validate(self) -> "BatchRun":
        """Checks the run before anything that takes time; returns it.

        Raises:
            PinterestError: if the landing, the warehouse, the report, the user id or the entity is not usable.
        """
        settings = self.settings()
        entities_named(self.entity)
        if not (self.landing / "topics").is_dir():
            raise LandingError(f"landing must be a folder with topics/ in it, got {self.landing}")
        if self.warehouse.resolve() == self.landing.resolve():
            raise SettingsError(f"warehouse must be another folder than the landing, got {self.warehouse} for both")
        if not any(Path(settings.topic_folder(entity)).is_dir() for entity in ENTITIES):
            found = sorted(folder.name for folder in (self.landing / "topics").iterdir())
            wanted = f"topics {self.user_id}.pin, .geo or .user"
            raise LandingError(f"landing must hold {wanted}, got {', '.join(found[:9]) or 'no topics'}")
        if self.report is not None and self.report.is_dir():
            raise SettingsError(f"report must be a file, got the folder {self.report}")
        make_folder(self.warehouse, "warehouse", self.warehouse)
        if self.report is not None:
            make_folder(self.report.parent, "report", self.report)
        return self

    def settings(self) -> Settings:
        """Names and places of this run."""
        return Settings(user_id=self.user_id, landing=str(self.landing), warehouse=str(self.warehouse))


def make_folder(folder: Path, what: str, path: Path) -> None:
    """Creates a folder: the warehouse itself, or that of a file.

    Raises:
        SettingsError: no files can be written there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(f"{what} must be where files can be written, got {path}: {error.strerror}") from None


def create_run_id() -> str:
    """Name of a run that begins now; two never share one."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{uuid.uuid4().hex[:8]}"


def run(options: argparse.Namespace) -> None:
    """Runs the command.

    Raises:
        PinterestError: an option is not usable, or a notebook fails.
    """
    batch = BatchRun(
        landing=options.landing.absolute(),
        warehouse=options.warehouse.absolute(),
        user_id=options.user_id,
        entity=options.entity,
        rebuild=options.rebuild,
        report=options.report.absolute() if options.report else None,
    ).validate()
    # pandas and plotly are imported while Java starts.
    Thread(target=import_module, args=("local.report.report_data",), daemon=True).start()
    with open_runner(batch.warehouse) as (runner, _):
        run_batch(runner, batch)


def run_batch(runner: "Runner", batch: BatchRun, notebooks: Path = NOTEBOOKS) -> None:
    """Runs the notebooks one after another; the answers go to the runner's screen.

    Raises:
        NotebookError: if one fails.
    """
    from local.report.report_data import collect_report_data  # noqa: PLC0415 - slow to import, see run
    from local.report.report_file import write_report  # noqa: PLC0415

    settings = batch.settings()
    run_notebooks(
        runner,
        settings,
        [notebooks / name for name in BATCH_NOTEBOOKS],
        entity=batch.entity,
        rebuild="true" if batch.rebuild else "false",
    )
    if batch.report is not None:
        runner.progress(f"writing {batch.report}")
        write_report(batch.report, collect_report_data(runner.spark, settings, runner.screen.answers))


def run_notebooks(runner: "Runner", settings: Settings, notebooks: Sequence[Path], **changes: str) -> None:
    """Runs batch notebooks one after another.

    Args:
        runner: what they share.
        settings: names and places.
        notebooks: their files.
        changes: values of widgets other than the usual ones.

    Raises:
        NotebookError: one fails.
    """
    values = {
        "access": "volume",
        "leg": settings.leg,
        "catalog": settings.catalog,
        "schema": settings.schema,
        "landing": settings.landing,
        "user_id": settings.user_id,
        "entity": "all",
        "run_id": create_run_id(),
        "warehouse": settings.warehouse,
        "rebuild": "false",
        **changes,
    }
    for file in notebooks:
        # The one that makes the landing reachable exits with its path.
        values["landing"] = runner.run(file, values) or values["landing"]
