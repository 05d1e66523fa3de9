"""Settings files, rendered from the pipeline's own names."""

import pytest

from infrastructure.checks.names import CLASSES
from infrastructure.infrastructure_cli import main
from infrastructure.settings_files import render
from pinterest_transforms.entities import ENTITIES
from pinterest_transforms.errors import SettingsError
from pinterest_transforms.settings import Settings, landing_key

BROKERS = "b-1.x.kafka.eu-west-1.amazonaws.com:9098,b-2.x.kafka.eu-west-1.amazonaws.com:9098"


def settings_of(name: str, user_id: str = "0ab") -> dict[str, str]:
    lines = render(Settings(user_id=user_id), BROKERS, "eu-west-1")[name].splitlines()
    pairs = [line.split("=", 1) for line in lines if line and not line.startswith("#")]
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)


@pytest.mark.parametrize("user_id", ["0ab", "12f6caff3559"])
def test_settings_have_the_pipelines_names(user_id: str) -> None:
    connector = settings_of("connector.properties", user_id)
    settings = Settings(user_id=user_id)
    assert connector["topics.regex"] == f"{user_id}.*"
    assert connector["s3.bucket.name"] == settings.bucket
    assert connector["s3.region"] == "eu-west-1"
    assert landing_key(settings.topic(ENTITIES[0]), 0, 0).startswith(f"{connector['topics.dir']}/")


def test_every_client_authenticates_with_iam_over_tls() -> None:
    for name, prefix in (("client.properties", ""), ("kafka-rest.properties", "client.")):
        found = settings_of(name)
        assert found["bootstrap.servers"] == BROKERS
        assert found[f"{prefix}security.protocol"] == "SASL_SSL"
        assert found[f"{prefix}sasl.mechanism"] == "AWS_MSK_IAM"
        assert found[f"{prefix}sasl.jaas.config"] == "software.amazon.msk.auth.iam.IAMLoginModule required;"
        handler = found[f"{prefix}sasl.client.callback.handler.class"]
        assert handler == CLASSES["sasl.client.callback.handler.class"]


def test_keys_and_values_are_json_without_schemas() -> None:
    for name in ("connector.properties", "worker.properties"):
        found = settings_of(name)
        for side in ("key", "value"):
            assert found[f"{side}.converter"] == CLASSES[f"{side}.converter"]
            assert found[f"{side}.converter.schemas.enable"] == "false"


def test_the_last_record_is_flushed_and_files_are_few() -> None:
    connector = settings_of("connector.properties")
    assert int(connector["rotate.schedule.interval.ms"]) == 10 * 60_000
    assert connector["timezone"] == "UTC"
    assert int(connector["flush.size"]) == 10_000
    # A file of the largest usual records stays below what the reader takes.
    assert int(connector["flush.size"]) * 20_000 < Settings().max_file_bytes


def test_invalid_json_goes_to_the_dead_letter_queue() -> None:
    connector = settings_of("connector.properties")
    assert connector["errors.tolerance"] == "all"
    assert not connector["errors.deadletterqueue.topic.name"].startswith("0ab.")


def test_the_proxy_times_out_before_the_gateway() -> None:
    proxy = settings_of("kafka-rest.properties")
    assert int(proxy["producer.delivery.timeout.ms"]) < 29_000
    assert int(proxy["producer.max.block.ms"]) < 29_000
    assert int(proxy["producer.delivery.timeout.ms"]) >= int(proxy["producer.request.timeout.ms"]) + int(
        proxy["producer.linger.ms"]
    )
    assert proxy["producer.acks"] == "all"


def test_the_proxy_serves_tls_only_with_an_external_password() -> None:
    proxy = settings_of("kafka-rest.properties")
    assert proxy["listeners"] == "https://0.0.0.0:8082"
    assert proxy["ssl.keystore.password"] == "${file:/etc/pinterest/rest-proxy.password:password}"
    assert proxy["config.providers.file.class"] == CLASSES["config.providers.file.class"]


@pytest.mark.parametrize(
    ("brokers", "region", "message"),
    [
        ("b-1", "us-east-1", "bootstrap must be a comma-separated list of host:port, got 'b-1'"),
        ("b:1;x", "us-east-1", "bootstrap must be a comma-separated list of host:port, got 'b:1;x'"),
        ("b:1\nx=y", "us-east-1", "bootstrap must be a comma-separated list of host:port, got 'b:1\\nx=y'"),
        ("b:1", "here", "region must be an AWS region such as us-east-1, got 'here'"),
    ],
)
def test_an_invalid_address_or_region_is_an_error(brokers: str, region: str, message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        render(Settings(), brokers, region)
    assert str(caught.value) == message


def test_the_command_writes_every_file(tmp_path, capsys) -> None:
    to = tmp_path / "new" / "folder"
    code = main(["render", "--user-id", "0ab", "--bootstrap", BROKERS, "--region", "eu-west-1", "--to", str(to)])
    assert code == 0
    files = {"client.properties", "kafka-rest.properties", "connector.properties", "worker.properties"}
    assert {file.name for file in to.iterdir()} == files
    assert (to / "client.properties").read_text() == render(Settings(user_id="0ab"), BROKERS, "eu-west-1")[
        "client.properties"
    ]
    assert capsys.readouterr().out.startswith("wrote client.properties, ")


def test_a_folder_that_cannot_be_created_is_one_line(tmp_path, capsys) -> None:
    (tmp_path / "file").touch()
    assert main(["render", "--bootstrap", BROKERS, "--to", str(tmp_path / "file" / "folder")]) == 1
    assert capsys.readouterr().err == f"error: {tmp_path}/file/folder cannot be read or written: Not a directory\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--user-id", "x;", "--bootstrap", "b:1"], "user_id must be 3 to 32 of a-z and 0-9, got 'x;'"),
        (["--bootstrap", "b"], "bootstrap must be a comma-separated list of host:port, got 'b'"),
    ],
)
def test_an_invalid_command_is_one_line(tmp_path, capsys, arguments: list[str], message: str) -> None:
    assert main(["render", *arguments, "--to", str(tmp_path)]) == 2
    assert capsys.readouterr().err == f"error: {message}\n"
