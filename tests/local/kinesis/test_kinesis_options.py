"""Options of the ``kinesis`` source."""

import json
import time
from datetime import UTC, datetime

import pytest

from local.kinesis.kinesis_options import parse_initial_position, validate_options
from local.kinesis.kinesis_source import KinesisSource
from local.kinesis.shard_reader import AT_TIMESTAMP, TRIM_HORIZON
from pinterest_transforms.errors import StreamError

NAMES = (
    "streamname, initialposition, region, endpoint, awsaccesskey, awssecretkey, failondataloss, maxrecordsperbatch, "
    "minfetchperiod"
)
POSITIONS = (
    "initialPosition must be latest, trim_horizon, earliest or "
    '{"at_timestamp": "2026-01-31 12:00:00 +0000", "format": "yyyy-MM-dd HH:mm:ss ZZZ"}, got '
)
OTHER_FORMAT = '{"at_timestamp": "2026-01-31 12:00:00 +0000", "format": "yyyy"}'


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"streamname": ""}, "streamName must be the name of one stream, got ''"),
        ({"streamName": "a,b"}, "streamName must be the name of one stream, got 'a,b'"),
        ({"colour": "1", "Size": "2"}, f"options of kinesis must be among {NAMES}, got colour, size"),
        (
            {"serviceCredential": "c"},
            "serviceCredential must be left out on one machine: credentials are what boto3 finds",
        ),
        ({"initialPosition": "soon"}, f"{POSITIONS}'soon'"),
        ({"initialPosition": "5"}, f"{POSITIONS}'5'"),
        ({"initialPosition": ""}, f"{POSITIONS}''"),
        ({"initialPosition": '{"at_timestamp": 5}'}, POSITIONS + """'{"at_timestamp": 5}'"""),
        ({"initialPosition": OTHER_FORMAT}, f"{POSITIONS}'{OTHER_FORMAT}'"),
        ({"maxRecordsPerBatch": "0"}, "maxRecordsPerBatch must be a whole number from 1 on, got '0'"),
        ({"maxRecordsPerBatch": "many"}, "maxRecordsPerBatch must be a whole number from 1 on, got 'many'"),
        ({"minFetchPeriod": "400ms"}, "minFetchPeriod must be seconds, got '400ms'"),
        ({"failOnDataLoss": "no"}, "failOnDataLoss must be true or false, got 'no'"),
    ],
)
def test_an_option_that_cannot_be_used_gets_one_clear_line(options, message):
    given = {name.lower(): value for name, value in {"streamName": "posts", **options}.items()}
    with pytest.raises(StreamError) as error:
        KinesisSource(given).streamReader(None)
    assert str(error.value) == message


def test_options_are_found_by_their_names_in_any_case():
    found = validate_options({"STREAMNAME": "posts", "MaxRecordsPerBatch": "5"})
    assert (found["streamname"], found["maxrecordsperbatch"], found["failondataloss"]) == ("posts", "5", "true")


def test_positions_are_places_in_a_shard():
    before = time.time()
    kind, seconds = parse_initial_position("LATEST").split()
    assert (kind, before <= float(seconds) <= time.time()) == (AT_TIMESTAMP, True)
    assert (parse_initial_position("trim_horizon"), parse_initial_position("Earliest")) == (TRIM_HORIZON, TRIM_HORIZON)
    said = {"at_timestamp": "2026-01-31 12:00:00 +0100", "format": "yyyy-MM-dd HH:mm:ss ZZZ"}
    assert (
        parse_initial_position(json.dumps(said))
        == f"{AT_TIMESTAMP} {datetime(2026, 1, 31, 11, tzinfo=UTC).timestamp()}"
    )
