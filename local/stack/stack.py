"""The whole system on this machine: its parts, started together, and what others need to know to use them.

Real are MariaDB, Apache Kafka, Spark, Delta, the notebooks and the emulation. Emulators are the gateway (which executes
the deployed template), the REST proxy, the sink, S3 (moto) and Kinesis: ``docs/stack.md`` lists what each leaves out.
"""

import contextlib
import os
import secrets
import shlex
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Self
from urllib.parse import quote

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from local.runtime.part_process import HOST
from local.stack import mariadb
from local.stack.kafka_broker import fetch_kafka_jars
from local.stack.stack_part import Part, StackError, find_free_port
from pinterest_transforms.entities import ENTITIES
from pinterest_transforms.settings import Settings
from pinterest_transforms.tables.locks import try_lock

REGION, STAGE = "us-east-1", "prod"
GROUP = "connect-sink"
_ENVIRONMENT, _LOCK = "environment", "lock"
_CREDENTIALS = {
    # The emulators take any; nothing of the user's own is looked at, or sent anywhere.
    "AWS_ACCESS_KEY_ID": "local",
    "AWS_SECRET_ACCESS_KEY": "local",
    "AWS_DEFAULT_REGION": REGION,
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}
_TOPIC_SECONDS, _PARTITIONS = 30.0, 2
_ROOM = "local.stack"


class Stack:
    """The parts, running while it is entered.

    Attributes:
        folder: where all of its state goes.
        settings: names made from the user id.
        parts: all of them, in the order they are started in.
    """

    def __init__(self, folder: Path, user_id: str, report: Callable[[str], object] = lambda _: None) -> None:
        """Makes the parts, none of which is started; ``report`` is called with the name of each step."""
        self.folder, self.settings, self._report = folder, Settings(user_id=user_id), report
        self._password, self._key = secrets.token_urlsafe(12), secrets.token_urlsafe(24)
        self._lock: IO[str] | None = None
        folder = folder.absolute()
        logs = folder / "logs"
        password, key = {mariadb.PASSWORD_VARIABLE: self._password}, {"PINTEREST_API_KEY": self._key}
        controller = ["--controller-port", str(find_free_port())]
        self.mariadb = Part(
            "mariadb", f"{_ROOM}.mariadb", ["--folder", str(folder / "mariadb")], logs, environment=password
        )
        self.kafka = Part("kafka", f"{_ROOM}.kafka_broker", ["--folder", str(folder / "kafka"), *controller], logs)
        self.s3 = Part("s3", f"{_ROOM}.s3", [], logs)
        self.kinesis = Part("kinesis", "local.kinesis.kinesis_emulator", [], logs)
        self.proxy = Part("rest-proxy", f"{_ROOM}.rest_proxy", ["--kafka", self.bootstrap], logs)
        files = ["--flush-size", "1000", "--rotate-ms", "2000", "--group", GROUP]
        where = ["--kafka", self.bootstrap, "--s3", self.s3.url, "--bucket", self.settings.bucket]
        topics = ["--topics-regex", f"{user_id}.*"]
        self.sink = Part("sink", f"{_ROOM}.s3_sink", [*where, *topics, *files], logs, environment=_CREDENTIALS)
        to = ["--proxy", self.proxy.url, "--kinesis", self.kinesis.url, "--user-id", user_id]
        self.gateway = Part(
            "gateway", f"{_ROOM}.api_gateway.api_gateway", to, logs, environment={**_CREDENTIALS, **key}
        )
        self.parts = (self.mariadb, self.kafka, self.s3, self.kinesis, self.proxy, self.gateway, self.sink)

    def __enter__(self) -> Self:
        """Starts all parts, creates topics and bucket, and writes the environment file. Stops all if one fails.

        Raises:
            StackError: a part does not start, or the folder is not one that can be used.
            JarError: Kafka's jars are not there and cannot be fetched.
        """
        fetch_kafka_jars()
        self._lock_folder()
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    @property
    def bootstrap(self) -> str:
        """Where Kafka's clients begin."""
        return f"{HOST}:{self.kafka.port}"

    @property
    def environment(self) -> dict[str, str]:
        """What the project's commands find their way by."""
        password = quote(self._password, safe="")
        database = f"{HOST}:{self.mariadb.port}/{mariadb.DATABASE}?charset=utf8mb4"
        return {
            "PINTEREST_USER_ID": self.settings.user_id,
            "PINTEREST_DATABASE": f"mysql+pymysql://{mariadb.USER}:{password}@{database}",
            "PINTEREST_API_URL": f"{self.gateway.url}/{STAGE}",
            "PINTEREST_API_ACCESS": "api-key",
            "PINTEREST_API_KEY": self._key,
            "PINTEREST_LANDING": f"s3a://{self.settings.bucket}",
            "AWS_ENDPOINT_URL_S3": self.s3.url,
            "AWS_ENDPOINT_URL_KINESIS": self.kinesis.url,
            **_CREDENTIALS,
        }

    def stop(self) -> None:
        """Stops every part, the last one first, each by its own process id."""
        for part in reversed(self.parts):
            part.stop()
        self._environment_file.unlink(missing_ok=True)
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def check(self) -> None:
        """Sees to it that every part runs.

        Raises:
            StackError: one does not.
        """
        for part in self.parts:
            if not part.is_running():
                raise StackError(f"{part.name} must run, and it has ended: {part.last_line()}")

    @property
    def _environment_file(self) -> Path:
        return self.folder / _ENVIRONMENT

    def _lock_folder(self) -> None:
        """Takes the folder for this stack; what an earlier one has left there goes, what anybody else has does not."""
        folder = self.folder
        lock = folder / _LOCK
        if folder.exists() and not lock.is_file() and not (folder.is_dir() and not any(folder.iterdir())):
            raise StackError(f"folder must be new, empty or an earlier stack's, got {folder}")
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = lock.open("w")
        if not try_lock(self._lock.fileno()):
            raise StackError(f"folder must be free, got {folder}, where a stack runs already")
        for left in folder.iterdir():
            if left.is_dir():
                shutil.rmtree(left)
            elif left != lock:
                left.unlink()

    def _start(self) -> None:
        self._report("starting MariaDB, Kafka, S3 and Kinesis, REST proxy, gateway")
        for part in self.parts:
            if part is not self.sink:
                part.start()
        for part in self.parts:
            if part is not self.sink:
                part.wait()
        self._report("making topics and bucket")
        self._make_topics()
        self._make_bucket()
        self.sink.start()
        self.sink.wait()
        write_environment(self._environment_file, self.environment)

    def _make_topics(self) -> None:
        names = [self.settings.topic(entity) for entity in ENTITIES]
        wanted = [NewTopic(name, num_partitions=_PARTITIONS, replication_factor=1) for name in names]
        client = AdminClient({"bootstrap.servers": self.bootstrap})
        try:
            for made in client.create_topics(wanted, request_timeout=_TOPIC_SECONDS).values():
                made.result()
        except KafkaException as error:
            raise StackError(f"topics must be made, got {error.args[0].str()}") from None

    def _make_bucket(self) -> None:
        import boto3  # noqa: PLC0415 - takes a while, and the parts start meanwhile

        key, secret = _CREDENTIALS["AWS_ACCESS_KEY_ID"], _CREDENTIALS["AWS_SECRET_ACCESS_KEY"]
        session = boto3.Session(aws_access_key_id=key, aws_secret_access_key=secret, region_name=REGION)
        session.client("s3", endpoint_url=self.s3.url).create_bucket(Bucket=self.settings.bucket)


def write_environment(file: Path, names: Mapping[str, str]) -> None:
    """Writes names and values for a shell to read; there are secrets among them."""
    file.touch(mode=0o600)
    file.write_text("".join(f"export {name}={shlex.quote(value)}\n" for name, value in names.items()), encoding="utf-8")


def read_environment(folder: Path) -> dict[str, str]:
    """The environment of the stack that runs on a folder.

    Raises:
        StackError: none does.
    """
    file = folder / _ENVIRONMENT
    with contextlib.suppress(OSError):
        lines = file.read_text(encoding="utf-8").splitlines()
        pairs = [shlex.split(line)[1].partition("=") for line in lines]
        return {name: value for name, _, value in pairs}
    raise StackError(f"a stack must run on {folder}, and none does: make stack starts one")
