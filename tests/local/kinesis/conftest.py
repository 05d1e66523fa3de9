"""Emulators of Kinesis with a clock that is moved by hand, and streams in them."""

from collections.abc import Callable, Iterator
from types import SimpleNamespace

import pytest

from local.kinesis.kinesis_emulator import serve_emulator
from tests.local.kinesis.kinesis_calls import Clock, client_of
from tests.local.kinesis.shards.shard_reads import PostsStream, client_at
from tests.local.kinesis.source_reads import SourcePosts
from tests.support.controlled_kinesis import ControlledKinesis


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that the client would have waited between its tries."""
    waited: list[float] = []
    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=waited.append))
    return waited


@pytest.fixture
def served(clock: Clock) -> Iterator[ControlledKinesis]:
    """An emulator with the stream ``posts``."""
    with serve_emulator(ControlledKinesis(clock=clock)) as kinesis:
        kinesis.create("posts")
        yield kinesis


@pytest.fixture
def client(served: ControlledKinesis):
    return client_of(served.url)


@pytest.fixture
def make(clock: Clock) -> Iterator[Callable[..., PostsStream]]:
    """Posts by number of shards."""
    with serve_emulator(ControlledKinesis(clock=clock)) as kinesis:

        def made(count: int = 1) -> PostsStream:
            kinesis.create("posts", count)
            return PostsStream(kinesis, client_at(kinesis.url))

        yield made


@pytest.fixture
def posts(clock: Clock) -> Iterator[SourcePosts]:
    """Posts that the source reads; its readers are stopped in the end."""
    with serve_emulator(ControlledKinesis(clock=clock)) as kinesis:
        made = SourcePosts(kinesis)
        yield made
        for reader in made.readers:
            reader.stop()
