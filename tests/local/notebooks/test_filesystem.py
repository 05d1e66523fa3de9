from pathlib import Path

import pytest

from local.notebooks.dbutils import DbutilsError, Filesystem


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "data" / "inner").mkdir(parents=True)
    (tmp_path / "data" / "a file.txt").write_text("hello", encoding="utf-8")
    return tmp_path / "data"


def test_a_folder_is_listed_like_the_platform_does(folder: Path) -> None:
    files = Filesystem().ls(f"file:{folder}")

    assert [(f.path, f.name) for f in files] == [
        (f"file:{folder}/a file.txt", "a file.txt"),
        (f"file:{folder}/inner/", "inner/"),
    ]
    assert Filesystem().ls(files[0].path) == files[:1]


def test_a_mount_is_listed_and_leads_to_its_folder(folder: Path) -> None:
    fs = Filesystem()

    assert fs.mount(f"file:{folder}", "/mnt/landing")
    assert [(m.mountPoint, m.source) for m in fs.mounts()] == [("/mnt/landing", f"file:{folder}")]
    assert [f.name for f in fs.ls("dbfs:/mnt/landing")] == ["a file.txt", "inner/"]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda fs, _: fs.mount("s3a://key:secret@bucket", "/mnt/x"),
            "UnsupportedOperationException: mounts of s3a need a Databricks workspace with DBFS; "
            "on one machine a mount's source must be a file: folder",
        ),
        (
            lambda fs, folder: fs.mount(f"file:{folder}", "/elsewhere"),
            "mount point must start with /mnt/, got '/elsewhere'",
        ),
        (lambda fs, folder: fs.mount(f"file:{folder}", "/mnt/there/"), "Directory already mounted: /mnt/there"),
        (
            lambda fs, _: fs.mount("file:/no/such", "/mnt/x"),
            "a mount's source must be an existing folder, got file:/no/such",
        ),
        (lambda fs, _: fs.ls("/no/such"), "FileNotFoundException: No such file or directory: /no/such"),
        (lambda fs, _: fs.ls("/mnt/x/y"), "FileNotFoundException: /mnt/x/y is below no mount"),
        (lambda fs, _: fs.ls("s3://b/k"), "path must be absolute and of this machine, got 's3://b/k'"),
        (lambda fs, _: fs.ls("relative"), "path must be absolute and of this machine, got 'relative'"),
    ],
)
def test_refusals_are_told(folder: Path, call: object, message: str) -> None:
    fs = Filesystem()
    fs.mount(f"file:{folder}", "/mnt/there")

    with pytest.raises(DbutilsError) as told:
        call(fs, folder)

    assert str(told.value) == message
