"""Names: those that AWS and Kafka must know, and those that the contract gives."""

import base64
import re
from collections.abc import Iterator, Mapping

from infrastructure.checks.sight import BROKERS, Sight, every, listed, mapping, within
from infrastructure.settings_files import properties_of, render
from infrastructure.templates import Value, section
from pinterest_transforms.entities import ENTITIES
from pinterest_transforms.settings import Settings

# MSK's list, without what is out of support; the client machine's tools are 3.9, and clients may not be older.
KAFKA_VERSIONS = ("3.9.x", "3.9.x.kraft")
# MSK Connect's list: no newer ones are there.
CONNECT_VERSIONS = ("2.7.1", "3.7.x")
# MWAA's newest image, that the DAG is tested on.
AIRFLOW_VERSIONS = ("3.3.1",)
# kafka.t3.small is refused for new clusters.
_BROKER_TYPE = re.compile(r"\Akafka\.m(5|7g)\.(x|[0-9]+x)?large\Z")
CLASSES: Mapping[str, tuple[str, ...]] = {
    "connector.class": ("io.confluent.connect.s3.S3SinkConnector",),
    "storage.class": ("io.confluent.connect.s3.storage.S3Storage",),
    "format.class": ("io.confluent.connect.s3.format.json.JsonFormat",),
    "partitioner.class": ("io.confluent.connect.storage.partitioner.DefaultPartitioner",),
    "key.converter": ("org.apache.kafka.connect.json.JsonConverter",),
    "value.converter": ("org.apache.kafka.connect.json.JsonConverter",),
    "secrets.backend": ("airflow.providers.amazon.aws.secrets.secrets_manager.SecretsManagerBackend",),
    "sasl.client.callback.handler.class": ("software.amazon.msk.auth.iam.IAMClientCallbackHandler",),
    "config.providers.file.class": ("org.apache.kafka.common.config.provider.FileConfigProvider",),
}
_LISTS: Mapping[str, tuple[str, ...]] = {
    "KafkaVersion": KAFKA_VERSIONS,
    "KafkaConnectVersion": CONNECT_VERSIONS,
    "AirflowVersion": AIRFLOW_VERSIONS,
}


def valid(sight: Sight) -> Iterator[str]:
    """Versions and classes exist: what is misspelt fails only half an hour into a deploy."""
    for setting, allowed in _LISTS.items():
        for value in (*every(sight.everything, setting), *_offered(sight, setting)):
            if value not in allowed:
                yield f"{setting} must be one of {', '.join(allowed)}, got {value}"
    for value in (*every(sight.everything, "KafkaVersionsList"),):
        if set(map(str, listed(value))) - set(KAFKA_VERSIONS):
            yield f"KafkaVersionsList must be of {', '.join(KAFKA_VERSIONS)}, got {value}"
    for value in _offered(sight, "BrokerType"):
        if not _BROKER_TYPE.match(str(value)):
            yield f"BrokerType must be one that new clusters may have, got {value}"
    for setting, classes in CLASSES.items():
        for value in every(sight.everything, setting):
            if value not in classes:
                yield f"{setting} must be {', '.join(classes)}, got {value}"


def as_in_the_contract(sight: Sight) -> Iterator[str]:
    """The names that others know things by, section 1 of the contract."""
    settings = Settings(user_id=sight.given["UserId"])
    for kind, setting, wanted in expected_names(sight.stack, settings):
        found = [str(properties.get(setting)) for _, properties in sight.of(kind)]
        for name in wanted:
            if name not in found and _is_made(sight, kind):
                yield f"{kind} must have {setting} {name}, got {', '.join(found) or 'none'}"


def expected_names(stack: str, settings: Settings) -> list[tuple[str, str, list[str]]]:
    """Types, their naming settings, and the names that must be among them."""
    user_id = settings.user_id
    return {
        "streaming": [
            ("AWS::S3::Bucket", "BucketName", [settings.bucket]),
            ("AWS::Kinesis::Stream", "Name", [settings.stream(entity) for entity in ENTITIES]),
            ("AWS::KafkaConnect::CustomPlugin", "Name", [f"{user_id}-plugin"]),
            ("AWS::KafkaConnect::Connector", "ConnectorName", [f"{user_id}-connector"]),
        ],
        "client": [("AWS::IAM::Role", "RoleName", [f"{user_id}-ec2-access-role"])],
        "api": [("AWS::IAM::Role", "RoleName", [f"{user_id}-kinesis-access-role"])],
        "orchestration": [
            ("AWS::MWAA::Environment", "Name", ["Databricks-Airflow-env"]),
            ("AWS::MWAA::Environment", "DagS3Path", ["dags/"]),
            ("AWS::S3::Bucket", "BucketName", ["mwaa-dags-bucket"]),
        ],
    }.get(stack, [])


def sink_is_as_rendered(sight: Sight) -> Iterator[str]:
    """The sink's settings are those of the settings files; its brokers come to it by other ways."""
    files = render(Settings(user_id=sight.given["UserId"]), BROKERS, "us-east-1")
    for name, properties in sight.of("AWS::KafkaConnect::Connector"):
        found = {key: str(value) for key, value in mapping(properties.get("ConnectorConfiguration")).items()}
        # Here a reference to the bucket is its logical id.
        if found.get("s3.bucket.name") == "Bucket":
            found["s3.bucket.name"] = str(within(sight.everything, "Bucket", "Properties", "BucketName"))
        yield from _differences(name, found, properties_of(files["connector.properties"]))
    for name, properties in sight.of("AWS::KafkaConnect::WorkerConfiguration"):
        text = base64.b64decode(str(properties.get("PropertiesFileContent"))).decode()
        yield from _differences(name, properties_of(text), properties_of(files["worker.properties"]))


def _differences(name: str, found: Mapping[str, str], rendered: Mapping[str, str]) -> Iterator[str]:
    for setting in sorted(found.keys() | rendered.keys()):
        if found.get(setting) != rendered.get(setting):
            yield f"{name}: {setting} must be {rendered.get(setting)} as rendered, got {found.get(setting)}"


def _is_made(sight: Sight, kind: str) -> bool:
    """Whether it is of this case at all: what hangs on a condition is looked for where the condition holds."""
    of_kind = [each for each in section(sight.template, "Resources").values() if each.get("Type") == kind]
    return not of_kind or not all("Condition" in each for each in of_kind) or bool(list(sight.of(kind)))


def _offered(sight: Sight, parameter: str) -> list[Value]:
    """Every value that a parameter lets somebody choose."""
    return listed(within(section(sight.template, "Parameters").get(parameter, {}), "AllowedValues"))
