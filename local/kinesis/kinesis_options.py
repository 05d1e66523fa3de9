"""Options of the ``kinesis`` source on one machine, and its boto3 client."""

import contextlib
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from local.kinesis.shard_reader import AT_TIMESTAMP, TRIM_HORIZON
from pinterest_transforms.errors import StreamError

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient

_OPTIONS = {
    "streamname": "",
    "initialposition": "latest",
    "region": "",
    "endpoint": "",
    "awsaccesskey": "",
    "awssecretkey": "",
    "failondataloss": "true",
    "maxrecordsperbatch": "250000",
    "minfetchperiod": "0.2",
}
_RULES = {
    "streamname": (r"[^,]+", "streamName must be the name of one stream"),
    "maxrecordsperbatch": (r"[1-9][0-9]{0,8}", "maxRecordsPerBatch must be a whole number from 1 on"),
    "minfetchperiod": (r"[0-9]{1,4}(\.[0-9]+)?", "minFetchPeriod must be seconds"),
    "failondataloss": (r"(?i:true|false)", "failOnDataLoss must be true or false"),
}


def validate_options(given: Mapping[str, str]) -> dict[str, str]:
    """Every option by its lower-case name, the ones not given with their defaults.

    Raises:
        StreamError: one is not known here, or cannot be used.
    """
    names = {name.lower(): value for name, value in given.items()}
    if "servicecredential" in names:
        raise StreamError("serviceCredential must be left out on one machine: credentials are what boto3 finds")
    unknown = sorted(set(names) - set(_OPTIONS))
    if unknown:
        raise StreamError(f"options of kinesis must be among {', '.join(_OPTIONS)}, got {', '.join(unknown)}")
    options = {**_OPTIONS, **names}
    for name, (pattern, rule) in _RULES.items():
        if not re.fullmatch(pattern, options[name]):
            raise StreamError(f"{rule}, got {options[name]!r}")
    parse_initial_position(options["initialposition"])
    return options


def parse_initial_position(position: str) -> str:
    """An initial position as a place in a shard. ``latest`` is from now on.

    Raises:
        StreamError: it is none.
    """
    if position.lower() in ("trim_horizon", "earliest"):
        return TRIM_HORIZON
    if position.lower() == "latest":
        return f"{AT_TIMESTAMP} {datetime.now(UTC).timestamp()}"
    with contextlib.suppress(ValueError, KeyError, TypeError):
        found = json.loads(position)
        if found["format"] == "yyyy-MM-dd HH:mm:ss ZZZ":
            return f"{AT_TIMESTAMP} {datetime.strptime(found['at_timestamp'], '%Y-%m-%d %H:%M:%S %z').timestamp()}"
    raise StreamError(
        "initialPosition must be latest, trim_horizon, earliest or "
        '{"at_timestamp": "2026-01-31 12:00:00 +0000", "format": "yyyy-MM-dd HH:mm:ss ZZZ"}, got ' + repr(position)
    )


def open_client(options: Mapping[str, str]) -> "KinesisClient":
    """Opens a client that retries throttled and failed calls, with exponential backoff."""
    import boto3  # noqa: PLC0415 - half a second to import, in every task
    from botocore.config import Config  # noqa: PLC0415

    patient = Config(
        retries={"mode": "standard", "total_max_attempts": 8},
        connect_timeout=5,
        read_timeout=30,
        max_pool_connections=16,
    )
    keys = {"aws_access_key_id": options["awsaccesskey"], "aws_secret_access_key": options["awssecretkey"]}
    named = {"region_name": options["region"], "endpoint_url": options["endpoint"], **keys}
    given = {name: value for name, value in named.items() if value}
    return boto3.client("kinesis", config=patient, **given)  # type: ignore[call-overload, no-any-return]
