"""Checks of versions, classes, names and parameters."""

import re
from collections.abc import Iterator, Mapping

from infrastructure.checks.template_view import TemplateView, as_list, find_all, get_path
from infrastructure.stacks import find_producer
from infrastructure.templates import Value, section
from pinterest_transforms.entities import ENTITIES
from pinterest_transforms.settings import Settings

_VERSIONS: Mapping[str, tuple[str, ...]] = {
    # MWAA's newest image, on which the DAG is tested.
    "AirflowVersion": ("3.3.1",),
    # All versions of MSK Connect.
    "KafkaConnectVersion": ("2.7.1", "3.7.x"),
    # Versions that MSK supports; the client machine's tools are 3.9, and clients may not be older.
    "KafkaVersion": ("3.9.x", "3.9.x.kraft"),
}
# New clusters may not have kafka.t3.small.
_BROKER_TYPE = re.compile(r"\Akafka\.m(5|7g)\.(x|[0-9]+x)?large\Z")
_USER_ID = "[a-z0-9]{3,32}"
_SECRET = re.compile(r"password|secret|token|credential|privatekey", re.IGNORECASE)
CLASSES: Mapping[str, str] = {
    "connector.class": "io.confluent.connect.s3.S3SinkConnector",
    "storage.class": "io.confluent.connect.s3.storage.S3Storage",
    "format.class": "io.confluent.connect.s3.format.json.JsonFormat",
    "partitioner.class": "io.confluent.connect.storage.partitioner.DefaultPartitioner",
    "key.converter": "org.apache.kafka.connect.json.JsonConverter",
    "value.converter": "org.apache.kafka.connect.json.JsonConverter",
    "secrets.backend": "airflow.providers.amazon.aws.secrets.secrets_manager.SecretsManagerBackend",
    "sasl.client.callback.handler.class": "software.amazon.msk.auth.iam.IAMClientCallbackHandler",
    "config.providers.file.class": "org.apache.kafka.common.config.provider.FileConfigProvider",
}


def check_versions(view: TemplateView) -> Iterator[str]:
    """Versions and classes exist; a misspelt one fails half an hour into a deploy."""
    for setting, allowed in _VERSIONS.items():
        for value in (*find_all(view.resources, setting), *_list_allowed_values(view, setting)):
            if value not in allowed:
                yield f"{setting} must be one of {', '.join(allowed)}, got {value}"
    for value in _list_allowed_values(view, "BrokerType"):
        if not _BROKER_TYPE.match(str(value)):
            yield f"BrokerType must be one that new clusters may have, got {value}"
    for setting, name in CLASSES.items():
        for value in find_all(view.resources, setting):
            if value != name:
                yield f"{setting} must be {name}, got {value}"


def check_contract_names(view: TemplateView) -> Iterator[str]:
    """The names of section 1 of the contract."""
    kinds = {resource.get("Type") for resource in section(view.template, "Resources").values()}
    for kind, setting, wanted in expected_names(view.stack, Settings(user_id=view.given["UserId"])):
        found = [str(properties.get(setting)) for _, properties in view.find_resources(kind)]
        for name in wanted:
            # A resource that exists under a condition is checked where the condition is true.
            if name not in found and (found or kind not in kinds):
                yield f"{kind} must have {setting} {name}, got {', '.join(found) or 'none'}"


def expected_names(stack: str, settings: Settings) -> list[tuple[str, str, list[str]]]:
    """Resource types, their naming properties, and required names."""
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


def check_sources(view: TemplateView) -> Iterator[str]:
    """The user id has a pattern; each other parameter has a default or is an output of an earlier stack."""
    parameters = section(view.template, "Parameters")
    pattern = parameters.get("UserId", {}).get("AllowedPattern")
    if pattern != _USER_ID:
        yield f"UserId must have the pattern {_USER_ID}, got {pattern}"
    for name, parameter in parameters.items():
        if name != "UserId" and "Default" not in parameter and not find_producer(name, view.stack):
            yield f"{name} must have a default or be an output of an earlier stack"


def check_no_secrets(view: TemplateView) -> Iterator[str]:
    """No parameter is a secret: it would be in the command line and the stack's history."""
    for name, parameter in section(view.template, "Parameters").items():
        if parameter.get("NoEcho") or (_SECRET.search(name) and not name.endswith("Arn")):
            yield f"{name} must not be a secret"


def _list_allowed_values(view: TemplateView, parameter: str) -> list[Value]:
    return as_list(get_path(section(view.template, "Parameters").get(parameter, {}), "AllowedValues"))
