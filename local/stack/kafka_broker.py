"""A Kafka broker on loopback: Apache Kafka itself, one node that is its own controller, from its jars.

The process that is started becomes the broker's Java, and keeps its process id::

    python -m local.stack.kafka_broker --folder build/stack/kafka --port 9092 --controller-port 9093

It listens on loopback alone, makes no topic on its own, and finds what it had when it is started again on its folder.
"""

import argparse
import os
import uuid
from base64 import urlsafe_b64encode
from pathlib import Path

from local.runtime.jars import JAR_FOLDER, fetch_jar_files, read_jar_list
from local.runtime.java import check_java, run_java
from local.runtime.part_process import build_part_parser, run_part
from local.runtime.spark_environment import build_java_environment
from local.stack.stack_part import StackError

VERSION = "4.3.1"
JARS = read_jar_list(Path(__file__).with_name("kafka_jars.txt"))
_LOG_SETTINGS = Path(__file__).with_name("kafka_log4j2.properties")
# A second of work at the start, and no more than a broker of three small topics needs.
_JAVA_OPTIONS = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx512m", "-Xshare:auto")
_FORMAT_SECONDS = 120


def fetch_kafka_jars() -> list[Path]:
    """Files of Kafka's jars, fetched where they are not there yet."""
    return fetch_jar_files(JARS, JAR_FOLDER / "kafka")


def build_properties(folder: Path, port: int, controller_port: int) -> dict[str, str]:
    """The broker's settings.

    Args:
        folder: where it keeps its data.
        port: loopback port of its clients.
        controller_port: loopback port on which it talks to itself as the cluster's controller.
    """
    return {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@127.0.0.1:{controller_port}",
        "controller.listener.names": "CONTROLLER",
        "listeners": f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "log.dirs": str(folder / "data"),
        "auto.create.topics.enable": "false",
        "offsets.topic.replication.factor": "1",
        "offsets.topic.num.partitions": "1",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "transaction.state.log.num.partitions": "1",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
        # A broker that was killed is taken for alive as long as its session lasts, and may not come back before.
        "broker.session.timeout.ms": "3000",
        "broker.heartbeat.interval.ms": "500",
        # As short for a consumer that was killed; and nobody else comes to its group, so none is waited for.
        "group.min.session.timeout.ms": "1000",
        "group.initial.rebalance.delay.ms": "0",
    }


def prepare(folder: Path, port: int, controller_port: int) -> list[str]:
    """Makes the folder ready, where it is new; the command that runs the broker on it.

    Raises:
        StackError: the folder cannot be made ready.
        JarError: Kafka's jars are not there and cannot be fetched.
        JavaError: there is no Java that Kafka runs on.
        subprocess.TimeoutExpired: Kafka's tool takes too long to make the folder.
    """
    java = check_java()
    jars = os.pathsep.join(str(jar) for jar in fetch_kafka_jars())
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "server.properties"
    given = build_properties(folder.absolute(), port, controller_port)
    file.write_text("".join(f"{name}={value}\n" for name, value in given.items()), encoding="utf-8")
    command = [java.command, *_JAVA_OPTIONS, f"-Dlog4j2.configurationFile={_LOG_SETTINGS.as_uri()}", "-cp", jars]
    if not (folder / "data" / "meta.properties").is_file():
        _format([*command, "kafka.tools.StorageTool", "format", "--config", str(file)])
    return [*command, "kafka.Kafka", str(file)]


def _format(command: list[str]) -> None:
    """Gives a new folder its cluster's id, as Kafka's own tool does."""
    cluster = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    code, printed = run_java([*command, f"--cluster-id={cluster}"], _FORMAT_SECONDS)
    if code:
        lines = printed.strip().splitlines() or ["nothing"]
        raise StackError(f"the broker's folder must be made, got {lines[-1]}")


def run(options: argparse.Namespace) -> None:
    """Becomes the broker."""
    command = prepare(options.folder, options.port, options.controller_port)
    os.execve(command[0], command, build_java_environment())  # noqa: S606 - to be the broker, not its parent


if __name__ == "__main__":
    parser = build_part_parser("local.stack.kafka_broker", "Apache Kafka on loopback, one node.")
    parser.add_argument("--folder", required=True, type=Path, help="where it keeps its data")
    parser.add_argument("--controller-port", required=True, type=int, help="loopback port of the cluster's controller")
    run_part(parser, run)
