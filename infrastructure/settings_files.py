"""Renders the settings files of Kafka's clients, the REST proxy and the S3 sink from the pipeline's own names."""

import re
from collections.abc import Mapping
from pathlib import Path
from string import Template as Text

from infrastructure.templates import TemplateError
from pinterest_transforms.errors import SettingsError
from pinterest_transforms.settings import Settings

FOLDER = Path(__file__).with_name("settings")
FILES = ("client.properties", "kafka-rest.properties", "connector.properties", "worker.properties")

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
    """Renders every settings file; returns the texts by name.

    Args:
        settings: the user id.
        brokers: addresses of the brokers from ``aws kafka get-bootstrap-brokers``.
        region: AWS region of the bucket.

    Raises:
        SettingsError: brokers or region are invalid.
    """
    names = {
        "user_id": settings.user_id,
        "bucket": settings.bucket,
        "bootstrap": check_brokers(brokers),
        "region": check_region(region),
    }
    return {name: Text((FOLDER / name).read_text(encoding="utf-8")).substitute(names) for name in FILES}


def write_files(files: Mapping[str, str], folder: Path) -> None:
    """Writes settings files into a folder, which is created."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")


def parse_properties(text: str, name: str = "properties") -> dict[str, str]:
    """Parses a properties file with one setting per line.

    Raises:
        TemplateError: a line is no setting, or a setting is duplicated.
    """
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        key, equals, value = line.partition("=")
        if not equals or key in found:
            raise TemplateError(f"{name}, line {number} must be a setting that is new, got {line!r}")
        found[key] = value
    return found
