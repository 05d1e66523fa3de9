"""How streams are read, which stream one is, and when its query runs again: without Spark and without AWS."""

import time
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import Mock

import pytest

from pinterest_transforms.errors import SettingsError
from pinterest_transforms.ingest import stream_queries
from pinterest_transforms.ingest.kinesis import KinesisSourceConfig, StreamInfo, describe_stream
from pinterest_transforms.ingest.stream_queries import RunningQuery


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"initial_position": "yesterday"}, "initial position must be latest, trim_horizon or a time like "
         "2026-01-31T12:00:00Z, got 'yesterday'"),
        ({"initial_position": "2026-01-31T12:00:00"}, "initial position must be latest, trim_horizon or a time like "
         "2026-01-31T12:00:00Z, got '2026-01-31T12:00:00'"),
        ({"trigger": "5"}, "trigger must be available_now or a time such as '5 seconds' or '1 minute', got '5'"),
        ({"trigger": "1 second\n"}, "trigger must be available_now or a time such as '5 seconds' or '1 minute', got "
         "'1 second\\n'"),
        ({"access_key": "a"}, "access key and secret key must be given together, got one of them"),
        ({"secret_key": "s"}, "access key and secret key must be given together, got one of them"),
        ({"service_credential": "c", "access_key": "a", "secret_key": "s"}, "credentials must be a service credential "
         "or keys, got both"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_so_is_refused(given: dict[str, str], message: str):
    with pytest.raises(SettingsError) as error:
        KinesisSourceConfig(**given)
    assert str(error.value) == message


def test_what_the_source_is_told():
    assert KinesisSourceConfig().options("s") == {"streamName": "s", "initialPosition": "trim_horizon"}
    keys = {"access_key": "a", "secret_key": "geheim"}
    reading = KinesisSourceConfig(
        "r", "http://e", "2026-01-31T13:00:00.9+01:00", "5 seconds", **keys, allow_losses=True
    )
    at = '{"at_timestamp": "2026-01-31 12:00:00 +0000", "format": "yyyy-MM-dd HH:mm:ss ZZZ"}'
    assert reading.options("s") == {
        "streamName": "s",
        "initialPosition": at,
        "region": "r",
        "endpoint": "http://e",
        "awsAccessKey": "a",
        "awsSecretKey": "geheim",
        "failOnDataLoss": "false",
    }
    assert "geheim" not in repr(reading)
    assert KinesisSourceConfig(service_credential="c").options("s")["serviceCredential"] == "c"


def test_a_stream_that_is_created_again_is_another_one_in_any_time_zone():
    def describe(made: datetime) -> StreamInfo:
        found = {"StreamARN": "arn:s", "StreamCreationTimestamp": made, "RetentionPeriodHours": 48}
        return describe_stream(Mock(describe_stream_summary=lambda **_: {"StreamDescriptionSummary": found}), "s")

    first = datetime(2026, 1, 31, 12, tzinfo=UTC)
    there = timezone(timedelta(hours=2))
    assert describe(first) == describe(first.astimezone(there)) == StreamInfo("arn:s made " + first.isoformat(), 48)
    assert describe(first + timedelta(microseconds=1)).identity != describe(first).identity


def ended_query(batches: float, done: float, arrived: float) -> RunningQuery:
    """A query that has ended: micro-batches before it began and now, seconds from now to the newest arrival."""
    progress = {"batches": done, "arrived": time.time() + arrived}
    context = SimpleNamespace(state=Mock(progress=progress))
    return RunningQuery(context, Mock(isActive=False, exception=lambda: None), [], batches)


@pytest.mark.parametrize(
    ("batches", "done", "arrived", "again"),
    [
        (3, 4, -60, True),
        (3, 3, -60, False),  # nothing was left
        (3, 4, 60, False),  # all that had arrived when the run began is read, however much arrives meanwhile
    ],
)
def test_a_pass_is_followed_by_another_one_while_it_may_have_left_something(
    batches: float, done: float, arrived: float, again: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_queries, "_GLANCE", 0)
    restarted = []

    def restart(context: object) -> RunningQuery:
        restarted.append(context)
        return ended_query(done, done, arrived)

    first = ended_query(batches, done, arrived)
    for how, wanted in ((restart, [first.context] * again), (None, [])):
        restarted.clear()
        running = [first]
        stream_queries.watch(running, how, Path("no such file"))
        assert (restarted, len(running)) == (wanted, 1 + len(wanted))
        first.context.state.reload.assert_called()
