"""Renders the settings files of Kafka's clients, the REST proxy and the S3 sink from the pipeline's own names."""

import base64
import re
from collections.abc import Mapping
from pathlib import Path
from string import Template as Text

from infrastructure.checks.template_view import CASES, TemplateView, as_mapping
from infrastructure.templates import get_template
from pinterest_transforms.errors import SettingsError
from pinterest_transforms.settings import Settings

FOLDER = Path(__file__).with_name("settings")

_BROKERS = re.compile(r"\A[A-Za-z0-9.-]{1,253}:[0-9]{1,5}(,[A-Za-z0-9.-]{1,253}:[0-9]{1,5})*\Z")
_REGION = re.compile(r"\A[a-z]{2}(-[a-z]+)+-[0-9]\Z")


def check_region(region: str) -> str:
    """Checks the name of an AWS region.

    Raises:
        SettingsError: it is invalid.
    """
    if not _REGION.match(region):
        raise SettingsError(f"region must be an AWS region such as us-east-1, got {region!r}")
    return region


def check_brokers(brokers: str) -> str:
    """Checks the brokers' addresses.

    Raises:
        SettingsError: they are not a comma-separated list of ``host:port``.
    """
    if not _BROKERS.match(brokers):
        raise SettingsError(f"bootstrap must be a comma-separated list of host:port, got {brokers!r}")
    return brokers


def render(settings: Settings, brokers: str, region: str) -> dict[str, str]:
    """Renders every settings file; returns the texts by name. Those of the S3 sink are the stack's own settings.

    Args:
        settings: the user id.
        brokers: addresses of the brokers from ``aws kafka get-bootstrap-brokers``.
        region: AWS region of the bucket.

    Raises:
        SettingsError: brokers or region are invalid.
    """
    place = {"s3.region": check_region(region), "s3.bucket.name": settings.bucket}
    view = TemplateView("streaming", get_template("streaming"), {**CASES["streaming"][0], "UserId": settings.user_id})
    [(_, connector)] = view.find_resources("AWS::KafkaConnect::Connector")
    [(_, worker)] = view.find_resources("AWS::KafkaConnect::WorkerConfiguration")
    sink = {**as_mapping(connector["ConnectorConfiguration"]), **place}
    return {
        **render_client(settings, brokers),
        "connector.properties": "".join(f"{name}={value}\n" for name, value in sink.items()),
        "worker.properties": base64.b64decode(str(worker["PropertiesFileContent"])).decode(),
    }


def render_client(settings: Settings, brokers: str) -> dict[str, str]:
    """Renders the settings files of the client machine: of Kafka's tools, and of the REST proxy."""
    names = {"user_id": settings.user_id, "bootstrap": check_brokers(brokers)}
    return {file.name: Text(file.read_text(encoding="utf-8")).substitute(names) for file in sorted(FOLDER.iterdir())}


def write_files(files: Mapping[str, str], folder: Path) -> None:
    """Writes settings files into a folder, which is created."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
