"""The client machine: what it is set up from, and the commands it has."""

import hashlib
import os
import re
import subprocess
import sys
import zipfile
from email import message_from_string
from pathlib import Path

import pytest
import yaml

from infrastructure.checks.template_view import CASES, TemplateView
from infrastructure.client_software import PROJECT, collect_software, find_archive, zip_emulation
from infrastructure.templates import get_template
from pinterest_transforms.entities import ENTITIES
from pinterest_transforms.errors import SettingsError
from pinterest_transforms.settings import Settings

CLIENT = PROJECT / "infrastructure/client"
BROKERS = "b-1.x:9098"


@pytest.fixture
def gathered(tmp_path: Path, software: Path) -> Path:
    to = tmp_path / "gathered"
    collect_software(software, Settings(user_id="0ab"), BROKERS, to)
    return to


def test_all_files_of_the_client_machine_are_collected(gathered: Path) -> None:
    script = (CLIENT / "set-up.sh").read_text(encoding="utf-8")
    taken = set(re.findall(r"[\w.*-]+\.(?:tgz|tar\.gz|jar|zip|txt|properties|service)\b", script))
    taken -= {"aws-msk-iam-auth.jar", "rest-proxy.password"}
    assert {
        "client.properties",
        "kafka-rest.properties",
        "kafka-rest.service",
        "emulation.zip",
        "client.txt",
        "seed.txt",
    } < taken
    for name in (*taken, "watch-topic", "emulate"):
        assert list(gathered.glob(name)), name


def test_a_changed_file_has_another_checksum(gathered: Path) -> None:
    def changed() -> list[str]:
        listed = [line.split("  ") for line in (gathered / "SHA256SUMS").read_text().splitlines()]
        return [name for sum_, name in listed if hashlib.sha256((gathered / name).read_bytes()).hexdigest() != sum_]

    assert changed() == []
    with (gathered / "kafka_2.13-3.9.1.tgz").open("ab") as file:
        file.write(b"!")
    assert changed() == ["kafka_2.13-3.9.1.tgz"]
    assert "sha256sum --quiet --check SHA256SUMS" in (CLIENT / "set-up.sh").read_text(encoding="utf-8")


def test_every_file_has_a_checksum(gathered: Path) -> None:
    listed = {line.split()[1] for line in (gathered / "SHA256SUMS").read_text().splitlines()}
    assert listed == {file.name for file in gathered.iterdir()} - {"SHA256SUMS"}


@pytest.mark.parametrize(("names", "got"), [((), "none"), (("x-1.zip", "x-2.zip"), "x-1.zip, x-2.zip")])
def test_exactly_one_archive_must_match(tmp_path: Path, names: tuple[str, ...], got: str) -> None:
    for name in names:
        (tmp_path / name).touch()
    with pytest.raises(SettingsError) as caught:
        find_archive(tmp_path, "x-*.zip")
    assert str(caught.value) == f"software {tmp_path} must hold one x-*.zip, got {got}"


def test_the_emulation_runs_from_its_zip_alone(tmp_path: Path) -> None:
    zip_emulation(tmp_path / "emulation.zip")
    with zipfile.ZipFile(tmp_path / "emulation.zip") as file:
        file.extractall(tmp_path / "app")
    assert not list((tmp_path / "app").rglob("*.pyc"))
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": "app/src:app", "PINTEREST_DATABASE": "source.db"}

    def emulation(*arguments: str) -> str:
        # Neither the editable project nor the folder that the tests run in: the zip has all that it needs.
        command = [sys.executable, "-P", "-m", "emulation", *arguments]
        return subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True, text=True).stdout

    assert "made 20 posts" in emulation("generate", "--posts", "20")
    assert "pinterest_data" in emulation("show", "--seed", "1") or "unique_id" in emulation("show", "--seed", "1")


def test_the_same_files_make_the_same_zip(tmp_path: Path) -> None:
    for name in ("one", "two"):
        zip_emulation(tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_the_client_machine_has_the_projects_numpy(gathered: Path) -> None:
    text = (gathered / "seed.txt").read_text()
    seed = [line for line in text.splitlines() if line.startswith(("numpy==", "    --hash=sha256:"))]
    assert text.count("==") == text.count("numpy==") > 0
    assert set(seed) <= set((PROJECT / "requirements/local.txt").read_text(encoding="utf-8").splitlines())
    assert sum("--hash" in line for line in seed) > 20


@pytest.mark.parametrize("name", ["set-up.sh", "watch-topic", "emulate"])
def test_scripts_are_bash_and_stop_at_the_first_error(name: str) -> None:
    assert subprocess.run(["bash", "-n", str(CLIENT / name)], check=False).returncode == 0
    assert "set -euo pipefail" in (CLIENT / name).read_text(encoding="utf-8")


def test_the_user_data_is_valid_bash_with_all_names(tmp_path: Path) -> None:
    view = TemplateView("client", get_template("client"), CASES.get("client", ({},))[0])
    text = template_user_data(view)
    assert len(text.encode()) < 16_384
    setting, shell = message_from_string(text).get_payload()
    # A start of the machine is all that CloudFormation does about a change of this.
    assert yaml.safe_load(setting.get_payload()) == {"cloud_final_modules": [["scripts-user", "always"]]}
    assert shell.get_content_type() == "text/x-shellscript"
    text = shell.get_payload()
    assert text.startswith("#!/bin/bash\n")
    script = tmp_path / "user-data"
    script.write_text(text)
    assert subprocess.run(["bash", "-n", str(script)], check=False).returncode == 0
    for line in (
        "PINTEREST_USER_ID=0ab",
        "PROXY_HOST=rest-proxy.0ab.internal",
        "DATABASE_SECRET=DatabaseSecretArn",
        "exec bash /opt/pinterest/software/set-up.sh",
    ):
        assert line in text.splitlines()


def template_user_data(view: TemplateView) -> str:
    import base64

    return base64.b64decode(view.resources["Instance"]["Properties"]["UserData"]).decode()


def on_this_machine(script: str, room: Path) -> Path:
    """A script of the client machine, with its places in a folder."""
    text = (CLIENT / script).read_text(encoding="utf-8")
    for place in ("/etc/pinterest", "/opt/kafka", "/opt/pinterest", "/var/lib/pinterest"):
        text = text.replace(place, str(room / place.strip("/").replace("/", "-")))
    (room / script).write_text(text)
    settings = room / "etc-pinterest"
    settings.mkdir()
    (settings / "environment").write_text(
        "PINTEREST_USER_ID=0ab\nAWS_REGION=us-east-1\nDATABASE_HOST=db.example\nDATABASE_SECRET=arn:secret\n"
    )
    (settings / "client.properties").write_text(f"bootstrap.servers={BROKERS}\n")
    return room / script


def program(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    file.chmod(0o755)


@pytest.mark.parametrize("kind", [entity.name for entity in ENTITIES])
def test_watch_topic_consumes_one_topic(tmp_path: Path, kind: str) -> None:
    script = on_this_machine("watch-topic", tmp_path)
    program(tmp_path / "opt-kafka/bin/kafka-console-consumer.sh", '#!/bin/bash\necho "$@"\n')
    done = subprocess.run(["bash", str(script), kind, "--from-beginning"], capture_output=True, text=True, check=True)
    assert f"--bootstrap-server {BROKERS} " in done.stdout
    assert f"--topic 0ab.{kind} " in done.stdout
    assert f"--group 0ab-watch-{kind} " in done.stdout
    assert done.stdout.endswith("--from-beginning\n")


@pytest.mark.parametrize("arguments", [[], ["nonsense"], ["--help"]])
def test_watch_topic_refuses_other_names(tmp_path: Path, arguments: list[str]) -> None:
    script = on_this_machine("watch-topic", tmp_path)
    done = subprocess.run(["bash", str(script), *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == "usage: watch-topic pin|geo|user [--from-beginning]\n"


def test_the_password_is_in_no_command_line(tmp_path: Path) -> None:
    script = on_this_machine("emulate", tmp_path)
    (tmp_path / "var-lib-pinterest").mkdir()
    program(
        tmp_path / "opt-pinterest/venv/bin/python",
        f'#!/bin/bash\necho "arguments: $*" >>{tmp_path}/seen\n[ "$1" = -c ] && exec {sys.executable} "$@"\n'
        f'echo "database: $PINTEREST_DATABASE"\n',
    )
    program(tmp_path / "bin/aws", '#!/bin/bash\necho \'{"username": "pinterest", "password": "p@ss/w:rd"}\'\n')
    environment = {"PATH": f"{tmp_path}/bin:{os.environ['PATH']}"}
    command = ["bash", str(script), "batches", "--all"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == (
        "database: mysql+pymysql://pinterest:p%40ss%2Fw%3Ard@db.example:3306/pinterest_data"
        f"?charset=utf8mb4&ssl_ca={tmp_path}/etc-pinterest/rds.pem\n"
    )
    seen = (tmp_path / "seen").read_text()
    assert "-m emulation batches --all" in seen
    assert "p@ss" not in seen
    assert "p%40ss" not in seen


def test_the_certificate_has_the_proxys_name_and_is_created_once(tmp_path: Path) -> None:
    text = (CLIENT / "set-up.sh").read_text(encoding="utf-8")
    part = text[text.index("good() {") : text.index('say "topics"')].replace("chown kafka-rest", "true")
    script = f'set -euo pipefail\nsay() {{ echo "$*"; }}\n{part}'.replace("/etc/pinterest", str(tmp_path))
    environment = {**os.environ, "PROXY_HOST": "rest-proxy.0ab.internal", "PINTEREST_USER_ID": "0ab"}

    def run(**more: str) -> str:
        command = ["bash", "-c", script]
        return subprocess.run(command, env={**environment, **more}, capture_output=True, text=True, check=True).stdout

    assert run() == "certificate for rest-proxy.0ab.internal\n"
    assert run() == ""
    assert run(PROXY_HOST="other.example") == "certificate for other.example\n"
    password = (tmp_path / "rest-proxy.password").read_text().removeprefix("password=").strip()
    assert len(password) == 48
    assert oct((tmp_path / "rest-proxy.p12").stat().st_mode)[-3:] == "600"
    show = ["openssl", "pkcs12", "-in", str(tmp_path / "rest-proxy.p12"), "-passin", f"pass:{password}", "-nokeys"]
    shown = subprocess.run(show, capture_output=True, text=True, check=True).stdout
    authority = subprocess.run(
        ["openssl", "x509", "-noout", "-ext", "keyUsage,basicConstraints"],
        input=shown[shown.rindex("-----BEGIN") :],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    # API Gateway takes no other.
    assert "CA:TRUE" in authority
    assert "Certificate Sign" in authority
    # The whole chain: its own, and the authority's.
    assert shown.count("BEGIN CERTIFICATE") == 2
