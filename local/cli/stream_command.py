"""``python -m local stream``: the stream notebook on this machine, with a Kinesis endpoint or an emulator."""

import argparse
import os
import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from local.cli.batch_command import NOTEBOOKS, make_folder, widget_values
from local.cli.command_session import open_runner, run_emulation
from local.cli.local_cli import stop_process
from local.cli.step_progress import StepProgress
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


@contextmanager
def stop_on_signal(settings: Settings) -> Iterator[list[int]]:
    """While it lasts, Ctrl-C or SIGTERM stops the streams after their current micro-batch; a second one ends at once.

    Yields:
        The signals that have come.
    """
    file, has_ended, received = Path(settings.stop_file(ENTITIES[0])), threading.Event(), list[int]()

    def request_stop() -> None:
        # Again and again: streams that are about to start remove an earlier run's request.
        file.parent.mkdir(parents=True, exist_ok=True)
        while not has_ended.wait(_GLANCE):
            file.touch()

    def handle(number: int, frame: object) -> None:
        if received:
            stop_process(number, frame)
        received.append(number)
        os.write(2, b"stopping after the current micro-batch; once more ends at once\n")
        threading.Thread(target=request_stop, daemon=True).start()

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield received
    finally:
        has_ended.set()
        for number, handler in before.items():
            signal.signal(number, handler)


def run(options: argparse.Namespace) -> int:
    """Runs the stream notebook, then the one with the answers; the exit code."""
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
        with stop_on_signal(settings) as received:
            run_stream(runner, settings, options, steps, {"endpoint": endpoint, "region": region})
        if not received:
            runner.run(NOTEBOOKS / "analyse", widget_values(settings))
            return 0
    print("stopped" if options.database else "stopped; the same command goes on where it was", file=sys.stderr)
    return 128 + received[0]


def check_stream(options: argparse.Namespace) -> Settings:
    """Checks the options before anything that takes time, and makes the warehouse; names and places of the run.

    Raises:
        PinterestError: what was given cannot be used.
    """
    warehouse, database = options.warehouse, options.database
    settings = Settings(user_id=options.user_id, leg="stream", warehouse=str(warehouse))
    KinesisSourceConfig(trigger=options.trigger)
    if database and options.entity != "all":
        raise SettingsError("--database is sent to streams of this run alone: give it without --entity")
    if database and "://" not in database and not Path(database).is_file():
        raise SettingsError(f"database must be there, got {database}: python -m emulation generate --posts N makes one")
    if database and any(load_state(settings.checkpoint(entity)) for entity in ENTITIES):
        raise SettingsError(
            f"warehouse must have no streams yet where --database is sent to new ones, got some in {warehouse}"
        )
    if options.rebuild and not Path(warehouse, settings.schema).is_dir():
        raise SettingsError(f"warehouse must have tables of streams for --rebuild, got {warehouse}")
    make_folder(warehouse, "warehouse", warehouse)
    return settings


def send_posts(options: argparse.Namespace, endpoint: str, steps: StepProgress) -> None:
    """Creates the streams at an endpoint, and sends every post of the source to them.

    Raises:
        PinterestError: some could not be sent.
    """
    environment = {"AWS_ENDPOINT_URL_KINESIS": endpoint, "AWS_DEFAULT_REGION": REGION}
    common, folder = ("streaming", "--direct", "--user-id", options.user_id), options.warehouse
    files = ("--cursor", str(folder / "sent.json"), "--failed", str(folder / "failed.jsonl"))
    run_emulation(*common, "--streams", "create", environment=environment)
    source = ("--all", "--restart", "--database", options.database)
    run_emulation(*common, *source, *files, environment=environment, progress=steps)


def run_stream(
    runner: Runner,
    settings: Settings,
    options: argparse.Namespace,
    steps: StepProgress,
    source: Mapping[str, str],
    notebooks: Path = NOTEBOOKS,
) -> None:
    """Runs the stream notebook; ``source`` has the endpoint and its region.

    Raises:
        NotebookError: it fails.
    """
    runner.spark.dataSource.register(KinesisSource)
    switches = {name: "true" for name in _SWITCHES if getattr(options, name)}
    values = widget_values(settings, entity=options.entity, trigger=options.trigger, **source, **switches)
    entities = entities_named(options.entity)
    with steps.show_lines([partial(describe_progress, settings, entity) for entity in entities]):
        runner.run(notebooks / "stream_kinesis", values)
