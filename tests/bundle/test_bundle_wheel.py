"""The artifact's own command builds the wheel that the jobs install."""

import os
import re
import runpy
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

from pinterest_transforms import __version__
from tests.bundle.loading import ROOT, load


def test_the_artifact_builds_one_wheel_of_the_library_and_nothing_else(tmp_path: Path) -> None:
    (artifact,) = load()["artifacts"].values()
    for file in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / file, tmp_path)
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / ".venv").symlink_to(Path(sys.prefix))
    (tmp_path / "dist").mkdir()
    (tmp_path / "dist" / "pinterest_transforms-0.0.1-py3-none-any.whl").touch()
    # The build backend is in this environment already: nothing is downloaded. (pip reads 0 as yes here.)
    environment = {**os.environ, "PIP_NO_BUILD_ISOLATION": "0"}
    command = ["sh", "-c", artifact["build"]]
    built = subprocess.run(
        command, check=False, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120
    )
    assert built.returncode == 0, built.stderr
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    assert wheel.name == f"pinterest_transforms-{__version__}-py3-none-any.whl"
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    shipped = (path for path in (ROOT / "src" / "pinterest_transforms").rglob("*") if path.suffix in (".py", ".typed"))
    assert names == {path.relative_to(ROOT / "src").as_posix() for path in shipped}


def test_the_version_follows_the_code_and_nothing_else(tmp_path: Path) -> None:
    def version_of(name: str, change: Callable[[Path], None]) -> str:
        package = tmp_path / name
        shutil.copytree(ROOT / "src" / "pinterest_transforms", package, ignore=shutil.ignore_patterns("__pycache__"))
        change(package)
        return str(runpy.run_path(str(package / "version.py"))["library_version"]())

    def with_windows_line_ends(package: Path) -> None:
        for path in package.rglob("*.py"):
            path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))

    assert version_of("same", lambda _: None) == __version__
    assert version_of("compiled", lambda package: (package / "columns.pyc").touch()) == __version__
    assert version_of("windows", with_windows_line_ends) == __version__
    changes: dict[str, Callable[[Path], object]] = {
        "rule": lambda package: (package / "columns.py").open("a").write("# another rule\n"),
        "new": lambda package: (package / "tables" / "new.py").touch(),
        "moved": lambda package: (package / "columns.py").rename(package / "rules.py"),
        "gone": lambda package: (package / "operations" / "quality_gate.py").unlink(),
    }
    versions = {version_of(name, change) for name, change in changes.items()}
    assert len(versions - {__version__}) == len(changes)
    assert all(re.fullmatch(r"0\.1\.0\+src[0-9a-f]{12}", version) for version in versions)
