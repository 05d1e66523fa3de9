"""The stream leg: the same tables as the batch leg, odd records, and errors."""

import json
import logging
import random
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from emulation.synthetic.delivery import DIRTY, Delivery, deliver
from emulation.synthetic.generator import generate_rows
from emulation.synthetic.landing_writer import assign_partition
from pinterest_transforms.analysis.answers import ANSWERS
from pinterest_transforms.entities import ENTITIES, GEO, PIN, USER, Entity
from pinterest_transforms.errors import BusyError, StreamError
from pinterest_transforms.ingest import streams
from pinterest_transforms.ingest.checkpoint_state import load_state
from pinterest_transforms.json_parsing import NO_KEY, NOT_AN_OBJECT, NOT_TEXT, OTHER_KIND, UNUSABLE
from pinterest_transforms.logs import LOGGER
from pinterest_transforms.tables import answer_tables
from pinterest_transforms.tables.locks import entity_lock
from tests.support.log_lines import log_lines
from tests.support.stream_places import SHARD, STREAM, MakeStreams, StreamPlace, geo, stream_place  # noqa: F401 - one is a fixture
from tests.support.table_places import WORK, Place, counts

Keyed = tuple[int, bytes]
Parts = list[list[Keyed]]

# Of few records, so that each of the dirty delivery's faults occurs.
VERY_DIRTY = Delivery(**{name: 0.12 if name != "foreign" else 0.08 for name, share in asdict(DIRTY).items() if share})


def sent(entity: Entity, posts: int, seed: int) -> list[Keyed]:
    """Lines of one topic, each with what decides its partition or shard."""
    lines = deliver(next(generate_rows(entity, posts, seed)), entity, VERY_DIRTY, seed, Counter())
    return [(key, line.encode("utf-8", "surrogateescape")) for key, line in lines]


def on_their_way(lines: list[Keyed], chance: random.Random) -> Parts:
    """The lines in parts: those of one key in their order, the others in any; some parts are sent again at once."""
    waiting: dict[int, deque[bytes]] = {}
    for key, line in lines:
        waiting.setdefault(key, deque()).append(line)
    order = [key for key, _ in lines]
    chance.shuffle(order)
    mixed = [(key, waiting[key].popleft()) for key in order]
    parts: Parts = []
    while mixed:
        size = chance.randrange(1, 25)
        parts += [mixed[:size]] * chance.choice((1, 1, 2))
        mixed = mixed[size:]
    return parts


def by_landing(place: Place, entity: Entity, parts: Parts) -> None:
    """Lands each part as a file a partition."""
    offsets: Counter[int] = Counter()
    for part in parts:
        for partition in range(3):
            lines = [line for key, line in part if assign_partition(key, 3) == partition]
            if lines:
                place.put(offsets[partition], *lines, entity=entity, partition=partition)
                offsets[partition] += len(lines)


def bad(place: Place, entity: Entity) -> Counter[tuple[object, ...]]:
    """What is noted of an entity: kind, reasons, columns, raw text, bytes; and how often."""
    return Counter(row[1:6] for row in place.read_quarantine() if row[0] == place.settings.source_name(entity))


def counted_of(place: Place, entity: Entity, name: str) -> int:
    return sum(row[name] for row in place.counted() if row["topic"] == place.settings.source_name(entity))


def test_both_legs_give_equal_tables_and_answers(make_place: Callable[..., Place], make_streams: MakeStreams):
    chance = random.Random(0)
    landed, streamed = make_place(names=WORK), make_streams(*ENTITIES, shards=4)
    entities = (PIN, GEO)  # those of one answer; `tests/stack` compares all of them
    lines = {entity: sent(entity, 60, seed=0) for entity in entities}
    parts = {entity: on_their_way(of_it, chance) for entity, of_it in lines.items()}
    for entity, of_it in parts.items():
        streamed.put_keyed([line for part in of_it for line in part], entity)
    streamed.take(*entities)
    all_landed = {entity: on_their_way(of_it, chance) for entity, of_it in lines.items()}
    for entity, of_it in all_landed.items():
        by_landing(landed, entity, of_it)
    landed.take(*entities)
    for entity, landed_parts in all_landed.items():
        assert landed.rows(entity) == streamed.rows(entity) != {}
        assert set(bad(landed, entity)) == set(bad(streamed, entity))
        assert {kind for kind, *_ in bad(landed, entity)} == {"rejected", "repaired"}
        for place, given in ((landed, landed_parts), (streamed, parts[entity])):
            times = Counter(line for part in given for _, line in part)
            said = Counter({(text, data): n for (*_, text, data), n in bad(place, entity).items()})
            assert said == {(text, data): times[data or text.encode()] for text, data in said}
            assert counted_of(place, entity, "read") == times.total()
        assert Counter(data for _, data in streamed.raw(entity)) == times
    answer = next(answer for answer in ANSWERS if {*answer.entities} == {*entities})
    tables = [answer_tables.read_clean_tables(place) for place in (landed, streamed)]
    one, other = (answer.sort_rows(answer.compute(clean)).collect() for clean in tables)
    assert one == other != []


def test_records_that_are_new_odd_or_none(place: StreamPlace):
    nested = geo(2, "a", latitude={"degrees": 1}, longitude=2)
    twice = '{"ind": 9, "country": "a"}{"ind": 9, "country": "b"}'
    told = {"ind": 5, "title": "a pin"}
    lines = [
        *(geo("1", 7, board="walls", mood=None), nested, geo(3, ["list"]), "[1]", b"", b" \r\n", b"\xff{}", twice),
        *(told, geo(None, "no key"), json.dumps(geo(4, "in two\nlines"), indent=2), b'{"ind": 6, "country": "\xe3"}'),
    ]
    at = place.put(*lines)
    place.take()
    texts = [data for _, data in place.raw()]
    asked = [line if isinstance(line, str) else json.dumps(line) for line in lines if not isinstance(line, bytes)]
    assert [*texts[4:7], texts[11]] == [line for line in lines if isinstance(line, bytes)]
    assert [text.decode() for number, text in enumerate(texts) if number not in (4, 5, 6, 11)] == asked
    assert [position for position, _ in place.raw()] == at
    assert place.countries() == {1: "7", 2: "a", 3: None, 4: "in two\nlines"}

    def to_quarantine_row(number: int, reasons: str, columns: str = "", *, text: str = "", data: bytes | None = None):
        kind = "repaired" if columns else "rejected"
        return (STREAM, kind, reasons, columns, text or texts[number].decode(), data, SHARD, at[number])

    wanted = [
        to_quarantine_row(1, UNUSABLE, "coordinates"),
        to_quarantine_row(2, UNUSABLE, "country"),
        to_quarantine_row(3, NOT_AN_OBJECT),
        to_quarantine_row(6, NOT_TEXT, text="\ufffd{}", data=texts[6]),
        to_quarantine_row(7, NOT_AN_OBJECT),
        to_quarantine_row(8, OTHER_KIND),
        to_quarantine_row(9, NO_KEY),
        to_quarantine_row(11, NOT_TEXT, text='{"ind": 6, "country": "\ufffd"}', data=texts[11]),
    ]
    assert place.read_quarantine() == sorted(wanted, key=repr)
    assert place.counted() == [counts(10, 4, rejected=6, repaired=2, topic=STREAM, board=1, mood=1, title=1)]


def test_one_query_that_fails_stops_the_others_and_a_file_stops_them_all(
    make_streams: MakeStreams, monkeypatch: pytest.MonkeyPatch
):
    place = make_streams(GEO, USER)
    process = streams.process_stream_batch

    def failing(effects, *given):
        if effects.context.entity is USER:
            raise ValueError(
                "An error occurred while calling o1.append.\n: org.apache.spark.SparkException: Job aborted.\n"
                "Caused by: java.io.IOException: No space left on device\n\tat a.b"
            )
        return process(effects, *given)

    place.put(geo(1, "a"))
    place.put({"ind": 1, "first_name": "Ada"}, entity=USER)
    with monkeypatch.context() as patched:
        patched.setattr(streams, "process_stream_batch", failing)
        with pytest.raises(StreamError) as error:
            place.take(GEO, USER, trigger="1 second")
    assert str(error.value) == "streaming-abc-user: IOException: No space left on device"
    assert isinstance(error.value.__cause__, ValueError)
    assert not place.spark.streams.active
    assert place.rows(USER) == {}

    stop = Path(place.settings.stop_file(GEO))
    stop.touch()  # of an earlier run
    with entity_lock(place.settings, GEO), pytest.raises(BusyError) as error:
        place.take(GEO)
    assert str(error.value) == (
        f"stream-geo must run once at a time on {place.settings.warehouse}, and another run of it is not finished"
    )
    assert stop.exists()  # it was not this run's

    def ask_to_stop() -> None:
        ended = time.monotonic() + 120
        try:
            while time.monotonic() < ended and len(place.counted()) < 2:
                time.sleep(0.2)
        finally:
            # Whatever happens here: nothing else ends the streams.
            stop.touch()

    each, is_asked = streams._process, []

    def elsewhere(frame, context, batch_id):
        """As over Spark Connect, where a micro-batch has its own copy of the state, and a log of its own process."""
        is_asked.append(stop.exists())
        logging.getLogger(LOGGER).handlers.clear()
        each(frame, replace(context, state=load_state(place.settings.checkpoint(context.entity))), batch_id)

    asking = threading.Thread(target=ask_to_stop)
    asking.start()
    with log_lines() as said, monkeypatch.context() as patched:
        patched.setattr(streams, "_process", elsewhere)
        place.take(GEO, USER, trigger="1 second")
    asking.join()
    assert said[:2] == [f"streaming-abc-{name}: starting the stream" for name in ("geo", "user")]
    assert said[-1] == "stopping, as requested"
    assert not is_asked[0]  # what an earlier run was asked is no request to this one
    assert not place.spark.streams.active
    assert (place.countries(), place.rows(USER)) == ({1: "a"}, {1: ("Ada", None, None)})
    assert "abc_user_table" in load_state(place.settings.checkpoint(USER)).commits
    # Whichever of them was first.
    noted = sorted(place.counted(), key=lambda row: str(row["topic"]))
    assert noted == [counts(1, 1, topic=STREAM), counts(1, 1, topic="streaming-abc-user")]


def test_a_stream_that_is_not_there(make_streams: MakeStreams):
    place = make_streams()
    with pytest.raises(StreamError) as error:
        place.take()
    assert str(error.value) == f"stream {STREAM} must be there and readable, got ResourceNotFoundException"
    assert not place.checkpoint().exists()
    with pytest.raises(StreamError) as error:
        streams.ingest_streams(
            place, (USER,), "run", place.reading(),
            place.reading(endpoint="http://127.0.0.1:9").client(),
        )  # fmt: skip
    assert str(error.value) == "stream streaming-abc-user must be there and readable, got EndpointConnectionError"
