"""Writes the DAG's file: a copy of ``pinterest_dag.py`` with the requested name and settings."""

import json
import os
import re
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from pinterest_transforms.errors import PinterestError, SettingsError
from pinterest_transforms.settings import check_user_id

_SOURCE = Path(__file__).with_name("pinterest_dag.py")
_S3 = re.compile(r"\As3://(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/(?P<prefix>.*))?\Z")


class PublishError(PinterestError):
    """The DAG's file cannot be written to its destination."""


@dataclass(frozen=True)
class Dag:
    """Settings of a published DAG; None keeps the value of ``pinterest_dag.py``.

    Attributes:
        user_id: whose pipeline it runs; the DAG is ``<user_id>_dag``.
        job_name: name of the deployed job; the production target's, since other targets put a prefix before it.
        retries: how often a failed task is tried again.
        retry_seconds: pause before it is, in seconds.
        poll_seconds: time between two questions whether a run has ended, in seconds.
    """

    user_id: str
    job_name: str | None = None
    retries: int | None = None
    retry_seconds: int | None = None
    poll_seconds: int | None = None

    def __post_init__(self) -> None:
        """Checks every value."""
        check_user_id(self.user_id)
        if self.job_name is not None and not (self.job_name.strip() and self.job_name.isprintable()):
            raise SettingsError(f"job_name must be a job's name on one line, got {self.job_name!r}")
        for name, least in (("retries", 0), ("retry_seconds", 0), ("poll_seconds", 1)):
            number = getattr(self, name)
            if number is not None and number < least:
                raise SettingsError(f"{name} must be at least {least}, got {number}")

    @property
    def file_name(self) -> str:
        """Name of its file."""
        return f"{self.user_id}_dag.py"

    def text(self) -> str:
        """Text of its file."""
        lines = _SOURCE.read_text(encoding="utf-8").split("\n")
        for name, value in asdict(self).items():
            if value is not None:
                [place] = [at for at, line in enumerate(lines) if line.startswith(f"{name.upper()} = ")]
                lines[place] = f"{name.upper()} = {json.dumps(value, ensure_ascii=False)}"
        return "\n".join(lines)


def publish(dag: Dag, to: str) -> tuple[str, bool]:
    """Writes the DAG's file into a folder or a bucket, unless the same file is there.

    Args:
        dag: what to publish.
        to: a folder, or ``s3://bucket/prefix/``.

    Returns:
        Where the file is, and whether it was written.

    Raises:
        SettingsError: if ``to`` is neither.
        PublishError: if it cannot be written there.
    """
    content, bucket = dag.text().encode(), _S3.match(to)
    if bucket:
        prefix = (bucket["prefix"] or "").strip("/")
        return _to_bucket(content, bucket["bucket"], f"{prefix}/{dag.file_name}".lstrip("/"))
    if not to or "://" in to:
        raise SettingsError(f"to must be a folder or s3://bucket/prefix/, got {to!r}")
    return _to_folder(content, Path(to, dag.file_name))


def _to_folder(content: bytes, file: Path) -> tuple[str, bool]:
    try:
        if file.is_file() and file.read_bytes() == content:
            return str(file), False
        file.parent.mkdir(parents=True, exist_ok=True)
        # Airflow may read the folder at any time: it sees the old file or the new one, and no half of one.
        part = file.with_name(f".{file.name}.{os.getpid()}.part")
        part.write_bytes(content)
        part.replace(file)
    except OSError as error:
        raise PublishError(
            f"to must be a folder that can be written to, got '{file.parent}': {error.strerror}"
        ) from error
    return str(file), True


def _to_bucket(content: bytes, bucket: str, key: str) -> tuple[str, bool]:
    try:
        import boto3  # noqa: PLC0415 - a folder needs no boto3
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise PublishError("a bucket needs boto3: pip install --require-hashes -r requirements/client.txt") from error
    try:
        s3 = boto3.client("s3")
        # It may not be there, or may not be read; whether it may be written shows next.
        with suppress(ClientError):
            if s3.get_object(Bucket=bucket, Key=key)["Body"].read() == content:
                return f"s3://{bucket}/{key}", False
        s3.put_object(Bucket=bucket, Key=key, Body=content, ContentType="text/x-python")
    except (BotoCoreError, ClientError) as error:
        raise PublishError(f"s3://{bucket}/{key} must be writable: {error}") from error
    return f"s3://{bucket}/{key}", True
