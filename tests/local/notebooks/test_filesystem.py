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


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/no/such", "FileNotFoundException: No such file or directory: /no/such"),
        ("s3://b/k", "path must be absolute and of this machine, got 's3://b/k'"),
        ("relative", "path must be absolute and of this machine, got 'relative'"),
    ],
)
def test_refusals_are_told(path: str, message: str) -> None:
    with pytest.raises(DbutilsError) as told:
        Filesystem().ls(path)

    assert str(told.value) == message
