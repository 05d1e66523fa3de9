"""Collects the files that the client machine is installed from: downloaded archives, and files of this project."""

import hashlib
import shutil
import zipfile
from pathlib import Path

from infrastructure.settings_files import render_client, write_files
from pinterest_transforms.errors import SettingsError
from pinterest_transforms.settings import Settings

PROJECT = Path(__file__).parent.parent
# Downloaded manually once; docs/operations/infrastructure.md has the links.
ARCHIVES = ("kafka_2.13-3.9.*.tgz", "aws-msk-iam-auth-*-all.jar", "confluent-community-7.9.*.tar.gz")
PLUGIN = "confluentinc-kafka-connect-s3-*.zip"

_ROOMS = ("emulation", "src/pinterest_transforms")
_EPOCH = (1980, 1, 1, 0, 0, 0)


def find_archive(folder: Path, pattern: str) -> Path:
    """The file that matches a pattern in a folder.

    Raises:
        SettingsError: no file or several files match.
    """
    found = sorted(file for file in folder.glob(pattern) if file.is_file())
    if len(found) != 1:
        got = ", ".join(file.name for file in found) or "none"
        raise SettingsError(f"software {folder} must hold one {pattern}, got {got}")
    return found[0]


def collect_software(software: Path, settings: Settings, brokers: str, to: Path) -> None:
    """Collects the files of ``software/`` in the bucket into a folder, with a list of checksums.

    Args:
        software: folder of the archives.
        settings: the user id.
        brokers: addresses of the brokers.
        to: the folder, an empty or a new one.

    Raises:
        SettingsError: an archive is missing.
    """
    archives = [find_archive(software, pattern) for pattern in ARCHIVES]
    write_files(render_client(settings, brokers), to)
    requirements = (PROJECT / "requirements" / name for name in ("client.txt", "seed.txt"))
    for file in (*archives, *(PROJECT / "infrastructure/client").iterdir(), *requirements):
        # Keeps the modification time, by which `s3 sync` skips unchanged files.
        shutil.copy2(file, to / file.name)
    zip_emulation(to / "emulation.zip")
    sums = "".join(f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in sorted(to.iterdir()))
    (to / "SHA256SUMS").write_text(sums, encoding="utf-8")


def zip_emulation(file: Path) -> None:
    """Writes the emulation and the library into a reproducible zip file."""
    with zipfile.ZipFile(file, "w") as archive_file:
        for room in _ROOMS:
            for source in sorted((PROJECT / room).rglob("*.py")):
                entry = zipfile.ZipInfo(source.relative_to(PROJECT).as_posix(), _EPOCH)
                archive_file.writestr(entry, source.read_bytes(), zipfile.ZIP_DEFLATED)
