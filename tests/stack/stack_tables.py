"""What stands in a stack's source, topics, bucket and tables."""

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import boto3
import polars

from emulation.source.database import connect
from emulation.source.table_reader import TableReader
from pinterest_transforms.entities import ENTITIES, Entity
from pinterest_transforms.schemas import CONTRACT
from pinterest_transforms.settings import Settings


def source_keys(environment: Mapping[str, str]) -> dict[str, list[int]]:
    """Keys of the source, by kind."""
    engine = connect(environment["PINTEREST_DATABASE"])
    found = {entity.name: list(TableReader(engine, entity).read_keys()) for entity in ENTITIES}
    engine.dispose()
    return found


def objects(environment: Mapping[str, str]) -> dict[str, list[str]]:
    """The lines of each object of the bucket, by its key."""
    session = boto3.Session("local", "local", region_name=environment["AWS_DEFAULT_REGION"])
    s3 = session.client("s3", endpoint_url=environment["AWS_ENDPOINT_URL_S3"])
    bucket = Settings(user_id=environment["PINTEREST_USER_ID"]).bucket
    keys = [o["Key"] for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket) for o in page["Contents"]]
    bodies = {key: s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode() for key in keys}
    assert all(body.endswith("\n") for body in bodies.values())
    return {key: body.removesuffix("\n").split("\n") for key, body in bodies.items()}


def count_offsets(environment: Mapping[str, str]) -> Counter[tuple[str, int, int]]:
    """How often each place of the topics stands in the bucket: by topic, partition and offset."""
    found: Counter[tuple[str, int, int]] = Counter()
    for key, lines in objects(environment).items():
        topic, partition, start = key.rpartition("/")[2].removesuffix(".json").split("+")
        assert key == f"topics/{topic}/partition={partition}/{topic}+{partition}+{int(start):010d}.json"
        found.update((topic, int(partition), int(start) + number) for number in range(len(lines)))
    return found


def clean(warehouse: Path, settings: Settings, entity: Entity) -> dict[int, tuple[object, ...]]:
    """A clean table's contract columns, by key; fails if a key is there twice."""
    names = [field.name for field in CONTRACT[entity.name]]
    rows = polars.read_delta(str(warehouse / settings.schema / settings.clean_table(entity))).select(names).rows()
    assert len({row[0] for row in rows}) == len(rows)
    return {row[0]: row[1:] for row in rows}


def quarantined(warehouse: Path, settings: Settings, entity: Entity, kind: str) -> list[int]:
    """Keys of what stands in quarantine, a repeated one again."""
    table = polars.read_delta(str(warehouse / settings.schema / "quarantine"))
    wanted = (polars.col("topic") == settings.source_name(entity)) & (polars.col("kind") == kind)
    return [_key(raw, entity) for raw in table.filter(wanted)["raw"]]


def _key(raw: str, entity: Entity) -> int:
    value = json.loads(raw)
    return next(int(value[name]) for name in entity.key_fields if name in value)
