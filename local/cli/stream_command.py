"""``python -m local stream``: the stream notebook on this machine, with a Kinesis endpoint or an emulator."""

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from local.cli.batch_command import NOTEBOOKS, create_run_id, make_warehouse
from local.cli.post_sender import PostSender
from local.cli.step_progress import StepReporter
from local.kinesis.kinesis_endpoint import REGION, kinesis_endpoint
from local.kinesis.kinesis_source import KinesisSource
from local.notebooks.notebook_runner import Runner
from pinterest_transforms.entities import ENTITIES, entities_named
from pinterest_transforms.errors import SettingsError
from pinterest_transforms.ingest.checkpoint_state import load_state
from pinterest_transforms.ingest.kinesis import AVAILABLE_NOW, KinesisSourceConfig
from pinterest_transforms.ingest.stream_queries import describe_progress
from pinterest_transforms.settings import Settings

_KEYS = {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local"}
"""Keys for an emulator: it takes any, but boto3 needs some."""
_LIVE = "1 second"
_GLANCE = 0.5


@dataclass(frozen=True)
class StreamRun:
    """One run of the stream notebook.

    Attributes:
        warehouse: folder of the tables.
        user_id: whose streams.
        entity: ``all``, or one of ``pin``, ``geo``, ``user``.
        endpoint: address of Kinesis; empty with a database, for an endpoint of this run's own.
        database: source whose posts are sent to an endpoint of this run's own; empty for none.
        region: AWS region; empty for what boto3 finds.
        initial_position: where a stream without checkpoint begins.
        trigger: ``available_now``, or a time such as ``5 seconds``.
        rate: records a second that are sent at most; 0 for no limit.
        switches: the notebook's ``rebuild``, ``new_checkpoint`` and ``allow_losses``, those that are set.
    """

    warehouse: Path
    user_id: str
    entity: str = "all"
    endpoint: str = ""
    database: str = ""
    region: str = ""
    initial_position: str = "trim_horizon"
    trigger: str = AVAILABLE_NOW
    rate: float = 0
    switches: tuple[str, ...] = ()

    def validate(self) -> "StreamRun":
        """Checks the run before anything that takes time; returns it.

        Raises:
            PinterestError: what was given cannot be used.
        """
        settings = self.settings()
        entities_named(self.entity)
        KinesisSourceConfig(initial_position=self.initial_position, trigger=self.trigger)
        if self.database and (self.endpoint or self.entity != "all"):
            raise SettingsError(
                "--database is sent to streams of this run's own: give it without --endpoint and --entity"
            )
        if self.database and "://" not in self.database and not Path(self.database).is_file():
            raise SettingsError(
                f"database must be there, got {self.database}: python -m emulation generate --posts N makes one"
            )
        if self.database and any(load_state(settings.checkpoint(entity)) for entity in ENTITIES):
            raise SettingsError(
                f"warehouse must have no streams yet where --database is sent to new ones, got some in {self.warehouse}"
            )
        make_warehouse(self.warehouse)
        return self

    def prepare(self) -> None:
        """Sets what Spark's processes need to find in their environment; to be done before Spark starts."""
        if self.database:
            os.environ.update(_KEYS)

    def settings(self) -> Settings:
        """Names and places of this run."""
        return Settings(user_id=self.user_id, leg="stream", warehouse=str(self.warehouse))


class StopRequest:
    """Ctrl-C or SIGTERM stops the streams after their current micro-batch; a second signal ends the process at once."""

    def __init__(self, settings: Settings, at_once: Callable[[int, object], None]) -> None:
        self._file, self._at_once = Path(settings.stop_file(ENTITIES[0])), at_once
        self.signal_number = 0

    def __call__(self, number: int, frame: object) -> None:
        """Takes the signal."""
        if self.signal_number:
            self._at_once(number, frame)
        self.signal_number = number
        self.stop()

    def stop(self) -> None:
        """Requests a stop of the streams."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        self._file.touch()


def run_stream(
    runner: Runner, stream: StreamRun, steps: StepReporter, stopping: StopRequest, notebooks: Path = NOTEBOOKS
) -> bool:
    """Runs the notebook, then the one with the answers.

    Returns:
        Whether it came to its end; False where it was stopped.

    Raises:
        NotebookError: one fails.
        StreamError: the posts could not be sent.
    """
    runner.spark.dataSource.register(KinesisSource)
    settings = stream.settings()
    values = {
        "catalog": settings.catalog,
        "user_id": stream.user_id,
        "entity": stream.entity,
        "run_id": create_run_id(),
        "warehouse": settings.warehouse,
        "region": stream.region,
        "endpoint": stream.endpoint,
        "initial_position": stream.initial_position,
        "trigger": stream.trigger,
        **dict.fromkeys(stream.switches, "true"),
    }

    def take(also: Callable[[], list[str]] = list, **changes: str) -> None:
        def lines() -> list[str]:
            return [*also(), *(describe_progress(settings, entity) for entity in entities_named(stream.entity))]

        with steps.show_lines(lines):
            runner.run(notebooks / "stream_kinesis", {**values, **changes})

    if stream.database:
        with kinesis_endpoint() as endpoint:
            sender = PostSender(stream.database, stream.user_id, stream.rate, endpoint, REGION, stream.warehouse)
            with sender, _stopped_when_read(sender, settings, stopping):
                take(lambda: [f"sender: {sender.last_line}"], endpoint=endpoint, region=REGION, trigger=_LIVE)
            if not stopping.signal_number:
                sender.check()
    else:
        take()
    if stopping.signal_number:
        return False
    runner.run(notebooks / "analyse", {**{n: values[n] for n in ("catalog", "user_id", "warehouse")}, "leg": "stream"})
    return True


@contextlib.contextmanager
def _stopped_when_read(sender: PostSender, settings: Settings, stopping: StopRequest) -> Iterator[None]:
    """While it lasts, requests a stop of the streams once all that was sent is read."""
    over = threading.Event()

    def wait() -> None:
        while not over.wait(_GLANCE) and not stopping.signal_number:
            states = [load_state(settings.checkpoint(entity)) for entity in ENTITIES]
            if sum(float(state.progress.get("read", 0.0)) for state in states if state) >= (sender.acknowledged or 0):
                # Repeatedly: the notebook removes the stop file of an earlier run.
                stopping.stop()

    sender.call_when_sent(wait)
    try:
        yield
    finally:
        over.set()
