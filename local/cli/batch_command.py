"""``python -m local batch``: the batch notebooks, over any folder in the sink's layout, on this machine."""

import argparse
import tempfile
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

from local import PROJECT
from local.cli.command_session import open_runner
from pinterest_transforms.errors import SettingsError
from pinterest_transforms.ingest.landing_files import check_local_landing
from pinterest_transforms.settings import Leg, Settings

if TYPE_CHECKING:
    from local.notebooks.notebook_runner import Runner

NOTEBOOKS = PROJECT / "notebooks"
BATCH_NOTEBOOKS = ("mount_s3", "clean_batch", "analyse")


def make_folder(folder: Path, what: str, path: Path) -> None:
    """Creates a folder: the warehouse itself, or that of a file.

    Raises:
        SettingsError: no files can be written there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()  # its permissions do not tell of a file system that is read-only
    except OSError as error:
        raise SettingsError(f"{what} must be where files can be written, got {path}: {error.strerror}") from None


def widget_values(settings: Settings, **others: str) -> dict[str, str]:
    """Values of the notebooks' widgets for a run that begins now; ``others`` besides. Two runs never share a name."""
    return {
        "leg": settings.leg,
        "catalog": settings.catalog,
        "schema": settings.schema,
        "user_id": settings.user_id,
        "run_id": f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{uuid.uuid4().hex[:8]}",
        "warehouse": settings.warehouse,
        **others,
    }


def run(options: argparse.Namespace) -> None:
    """Runs the command."""
    settings = check_batch(options)
    # pandas and plotly are imported while Java starts.
    Thread(target=import_module, args=("local.report.report_data",), daemon=True).start()
    with open_runner(settings.warehouse) as (runner, _):
        run_batch(runner, settings, options)


def check_batch(options: argparse.Namespace) -> Settings:
    """Checks the options before anything that takes time, and makes the folders; names and places of the run.

    Raises:
        PinterestError: the landing, the warehouse, the report or the user id is not usable.
    """
    landing, warehouse, report = options.landing, options.warehouse, options.report
    settings = Settings(user_id=options.user_id, landing=str(landing), warehouse=str(warehouse))
    check_local_landing(settings)
    if warehouse.resolve() == landing.resolve():
        raise SettingsError(f"warehouse must be another folder than the landing, got {warehouse} for both")
    if report is not None:
        if report.is_dir():
            raise SettingsError(f"report must be a file, got the folder {report}")
        make_folder(report.parent, "report", report)
    make_folder(warehouse, "warehouse", warehouse)
    return settings


def run_batch(runner: "Runner", settings: Settings, options: argparse.Namespace, notebooks: Path = NOTEBOOKS) -> None:
    """Runs the notebooks one after another; the answers go to the runner's screen.

    Raises:
        NotebookError: if one fails.
    """
    from local.report.report_data import collect_report_data, read_summaries  # noqa: PLC0415 - slow to import, see run
    from local.report.report_file import write_report  # noqa: PLC0415

    leg = Leg(runner.spark, settings)
    *cleaning, analysis = [notebooks / name for name in BATCH_NOTEBOOKS]
    run_notebooks(runner, settings, cleaning, rebuild="true" if options.rebuild else "false")
    with ThreadPoolExecutor(1) as pool:
        # Read beside the analysis, which changes tables of answers alone.
        summaries = pool.submit(read_summaries, leg) if options.report else None
        run_notebooks(runner, settings, [analysis])
    if summaries is not None:
        runner.progress(f"writing {options.report}")
        data = collect_report_data(leg, summaries.result(), runner.screen.answers)
        write_report(options.report, data)


def run_notebooks(runner: "Runner", settings: Settings, notebooks: Sequence[Path], **others: str) -> None:
    """Runs batch notebooks one after another; ``others`` are values of widgets.

    Raises:
        NotebookError: one fails.
    """
    values = widget_values(settings, **{"access": "volume", "landing": settings.landing, **others})
    for file in notebooks:
        # The one that makes the landing reachable exits with its path.
        values["landing"] = runner.run(file, values) or values["landing"]
