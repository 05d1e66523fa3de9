"""What Spark needs to read buckets, and ``dbutils.fs`` that lists them."""

import re
from pathlib import Path

import boto3
import pytest
from moto import mock_aws

from local.notebooks.bucket_filesystem import Buckets
from local.stack.kafka_broker import JARS, VERSION, build_properties
from local.stack.s3a_session import S3A_JARS
from pinterest_transforms.entities import PIN
from pinterest_transforms.settings import Settings, landing_key


@pytest.mark.parametrize("jars", [JARS, S3A_JARS])
def test_each_jar_of_a_list_is_there_once_with_its_hash(jars: list) -> None:
    assert len({jar.file_name for jar in jars}) == len(jars) > 30
    assert all(re.fullmatch(r"[0-9a-f]{64}", jar.sha256) for jar in jars)


def test_the_lists_have_what_their_names_say() -> None:
    kafka = {jar.module: jar.revision for jar in JARS}
    assert (kafka["kafka_2.13"], kafka["kafka-clients"]) == (VERSION, VERSION)
    assert "log4j-slf4j-impl" in kafka
    buckets = {jar.module for jar in S3A_JARS}
    assert "hadoop-aws" in buckets
    assert "bundle" not in buckets


def test_the_broker_listens_on_loopback_alone_and_makes_no_topic_on_its_own(tmp_path: Path) -> None:
    given = build_properties(tmp_path, 1001, 1002)

    assert given["listeners"] == "PLAINTEXT://127.0.0.1:1001,CONTROLLER://127.0.0.1:1002"
    assert given["auto.create.topics.enable"] == "false"


def test_buckets_are_listed_as_folders_and_folders_as_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "local")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    settings = Settings(user_id="abc123")
    (tmp_path / "a").mkdir()
    with mock_aws():
        s3 = boto3.client("s3")
        s3.create_bucket(Bucket=settings.bucket)
        s3.put_object(Bucket=settings.bucket, Key=landing_key(settings.topic(PIN), 0, 0), Body=b"{}\n")
        buckets, root = Buckets(None), f"s3a://{settings.bucket}"

        assert [(found.path, found.name) for found in buckets.ls(root)] == [(f"{root}/topics/", "topics/")]
        assert [found.name for found in buckets.ls(f"{root}/topics/")] == ["abc123.pin/"]
        assert [found.name for found in buckets.ls(str(tmp_path))] == ["a/"]
        with pytest.raises(s3.exceptions.NoSuchBucket):
            buckets.ls("s3a://another")
