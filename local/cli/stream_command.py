"""``python -m local stream``: the stream notebook on this machine, with a Kinesis endpoint or an emulator."""

import argparse
import os
import signal
import sys
import threading
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from local.cli.batch_command import NOTEBOOKS, create_run_id, make_folder
from local.cli.command_session import open_runner, run_emulation
from local.cli.local_cli import stop_process
from local.cli.step_progress import StepReporter
from local.kinesis.emulator_streams import REGION
from local.kinesis.kinesis_source import KinesisSource
from local.notebooks.notebook_runner import Runner
from pinterest_transforms.entities import ENTITIES, entities_named
from pinterest_transforms.errors import SettingsError
from pinterest_transforms.ingest.checkpoint_state import load_state
from pinterest_transforms.ingest.kinesis import KinesisSourceConfig
from pinterest_transforms.ingest.stream_queries import describe_progress
from pinterest_transforms.settings import Settings

_KEYS = {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local"}
"""Keys for an emulator: it takes any, but boto3 needs some."""
_GLANCE = 0.2
_SWITCHES = ("rebuild", "new_checkpoint", "allow_losses")


class StopRequest:
    """While entered, Ctrl-C or SIGTERM stops the streams after their current micro-batch; a second one ends at once."""

    def __init__(self, settings: Settings) -> None:
        self._file, self._over = Path(settings.stop_file(ENTITIES[0])), threading.Event()
        self._before: dict[int, object] = {}
        self.signal_number = 0

    def __enter__(self) -> Self:
        self._before = {number: signal.signal(number, self) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._over.set()
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def __call__(self, number: int, frame: object) -> None:
        """Takes the signal."""
        if self.signal_number:
            stop_process(number, frame)
        self.signal_number = number
        os.write(2, b"stopping after the current micro-batch; once more ends at once\n")
        threading.Thread(target=self._request, daemon=True).start()

    def _request(self) -> None:
        """Requests a stop, again and again: streams that are about to start remove an earlier run's request."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        while not self._over.wait(_GLANCE):
            self._file.touch()


def run(options: argparse.Namespace) -> int:
    """Runs the stream notebook, then the one with the answers; the exit code.

    Raises:
        PinterestError: an option is not usable, the posts cannot be sent, or a notebook fails.
    """
    settings = check_stream(options)
    if options.database:
        # Before Spark starts, whose processes find them in their environment.
        os.environ.update(_KEYS)
    with open_runner(settings.warehouse) as (runner, steps), ExitStack() as stack:
        endpoint, region = "" if options.endpoint in (None, "aws") else options.endpoint, options.region
        if options.database:
            from local.kinesis.kinesis_emulator import serve_emulator  # noqa: PLC0415 - aiohttp, for this alone

            endpoint, region = stack.enter_context(serve_emulator()).url, REGION
            steps("sending the posts")
            send_posts(options, endpoint, steps)
        with StopRequest(settings) as stopping:
            run_stream(runner, options, steps, endpoint, region)
        if not stopping.signal_number:
            values = {"catalog": settings.catalog, "user_id": settings.user_id, "warehouse": settings.warehouse}
            runner.run(NOTEBOOKS / "analyse", {**values, "leg": settings.leg})
            return 0
    print("stopped" if options.database else "stopped; the same command goes on where it was", file=sys.stderr)
    return 128 + stopping.signal_number


def check_stream(options: argparse.Namespace) -> Settings:
    """Checks the options before anything that takes time, and makes the warehouse; names and places of the run.

    Raises:
        PinterestError: what was given cannot be used.
    """
    warehouse, database = options.warehouse.absolute(), options.database
    settings = Settings(user_id=options.user_id, leg="stream", warehouse=str(warehouse))
    KinesisSourceConfig(initial_position=options.initial_position, trigger=options.trigger)
    if database and options.entity != "all":
        raise SettingsError("--database is sent to streams of this run alone: give it without --entity")
    if database and "://" not in database and not Path(database).is_file():
        raise SettingsError(f"database must be there, got {database}: python -m emulation generate --posts N makes one")
    if database and any(load_state(settings.checkpoint(entity)) for entity in ENTITIES):
        raise SettingsError(
            f"warehouse must have no streams yet where --database is sent to new ones, got some in {warehouse}"
        )
    if options.rebuild and not Path(warehouse, settings.schema).is_dir():
        raise SettingsError(f"warehouse must have tables of streams where --rebuild makes them again, got {warehouse}")
    make_folder(warehouse, "warehouse", warehouse)
    return settings


def send_posts(options: argparse.Namespace, endpoint: str, steps: StepReporter) -> None:
    """Creates the streams at an endpoint, and sends every post of the source to them.

    Raises:
        PinterestError: some could not be sent.
    """
    environment = {"AWS_ENDPOINT_URL_KINESIS": endpoint, "AWS_DEFAULT_REGION": REGION}
    common, folder = ("streaming", "--direct", "--user-id", options.user_id), options.warehouse.absolute()
    files = ("--cursor", str(folder / "sent.json"), "--failed", str(folder / "failed.jsonl"))
    run_emulation(*common, "--streams", "create", environment=environment)
    source = ("--all", "--restart", "--database", options.database)
    run_emulation(*common, *source, *files, environment=environment, progress=steps)


def run_stream(
    runner: Runner,
    options: argparse.Namespace,
    steps: StepReporter,
    endpoint: str,
    region: str,
    notebooks: Path = NOTEBOOKS,
) -> None:
    """Runs the stream notebook.

    Raises:
        NotebookError: it fails.
    """
    runner.spark.dataSource.register(KinesisSource)
    warehouse = str(options.warehouse.absolute())
    settings = Settings(user_id=options.user_id, leg="stream", warehouse=warehouse)
    values = {
        "catalog": settings.catalog,
        "user_id": options.user_id,
        "entity": options.entity,
        "run_id": create_run_id(),
        "warehouse": warehouse,
        "region": region,
        "endpoint": endpoint,
        "initial_position": options.initial_position,
        "trigger": options.trigger,
        **{name: "true" for name in _SWITCHES if getattr(options, name)},
    }
    entities = entities_named(options.entity)
    with steps.show_lines([partial(describe_progress, settings, entity) for entity in entities]):
        runner.run(notebooks / "stream_kinesis", values)
