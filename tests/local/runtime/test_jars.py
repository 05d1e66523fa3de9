import hashlib
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread

import pytest

from local.runtime import jars
from local.runtime.jars import Jar, JarError, fetch_delta_jars, fetch_jar_files

CONTENT = b"a jar"
JAR = Jar("org.example", "thing", "1.0", hashlib.sha256(CONTENT).hexdigest())


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Standard error is the command's."""


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of a Maven repository that is served on loopback."""
    folder = tmp_path / "maven"
    folder.mkdir()
    handler = partial(_Quiet, directory=str(folder))
    monkeypatch.setenv("no_proxy", "*")
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        monkeypatch.setenv("DEFAULT_ARTIFACT_REPOSITORY", f"http://127.0.0.1:{server.server_port}/")
        yield folder
        server.shutdown()


def _publish(repository: Path, content: bytes) -> None:
    file = repository / "org/example/thing/1.0/thing-1.0.jar"
    file.parent.mkdir(parents=True)
    file.write_bytes(content)


def test_deltas_jars_are_there_and_right() -> None:
    for file, jar in zip(fetch_delta_jars(), jars.DELTA, strict=True):
        assert hashlib.sha256(file.read_bytes()).hexdigest() == jar.sha256


def test_the_default_repository_is_the_one_of_sparks_ivy() -> None:
    assert jars._default_repository().startswith("https://")


@pytest.mark.usefixtures("repository")
def test_what_is_there_is_not_fetched_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for jar in jars.DELTA:
        (tmp_path / jar.file_name).touch()

    assert [file.name for file in fetch_delta_jars(tmp_path)] == [jar.file_name for jar in jars.DELTA]
    assert capsys.readouterr() == ("", "")


@pytest.mark.usefixtures("repository")
def test_a_fetch_is_told_in_one_line_not_on_standard_output(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(
        JarError, match=r"^delta-spark_4\.1_2\.13-4\.4\.0\.jar could not be fetched: 404 File not found$"
    ):
        fetch_delta_jars(tmp_path / "jars")

    line = f"fetching 2 of 2 jars once into {tmp_path / 'jars'}\n"
    assert capsys.readouterr() == ("", line)


def test_a_fetched_jar_appears_alone(tmp_path: Path, repository: Path) -> None:
    _publish(repository, CONTENT)

    fetch_jar_files([JAR], tmp_path / "jars")

    assert [(file.name, file.read_bytes()) for file in (tmp_path / "jars").iterdir()] == [(JAR.file_name, CONTENT)]


def test_a_jar_with_other_content_is_never_left_behind(tmp_path: Path, repository: Path) -> None:
    _publish(repository, CONTENT[:3])

    with pytest.raises(JarError, match=rf"^thing-1\.0\.jar must have the SHA-256 {JAR.sha256}, got one with "):
        fetch_jar_files([JAR], tmp_path / "jars")

    assert list((tmp_path / "jars").iterdir()) == []


def test_a_repository_that_is_away_is_an_error_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEFAULT_ARTIFACT_REPOSITORY", "http://127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "*")

    told = (
        r"no complete answer of the Maven repository \(ConnectionError\); DEFAULT_ARTIFACT_REPOSITORY may name another"
    )
    with pytest.raises(JarError, match=rf"^thing-1\.0\.jar could not be fetched: {told}$"):
        fetch_jar_files([JAR], tmp_path / "jars")

    assert list((tmp_path / "jars").iterdir()) == []


@pytest.mark.usefixtures("repository")
def test_a_repository_that_trickles_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each byte comes in time, those of the headers too; all of them would not."""

    def trickle(handler: _Quiet) -> None:
        with suppress(OSError):
            for byte in b"HTTP/1.0 200 OK\r\nContent-Length: 9\r\n\r\na jar":
                handler.wfile.write(bytes([byte]))
                ended.wait(0.1)

    ended = Event()
    monkeypatch.setattr(_Quiet, "do_GET", trickle)
    monkeypatch.setattr(jars, "_MAX_SECONDS", 0.3)
    with pytest.raises(
        JarError, match=r"^thing-1\.0\.jar could not be fetched: no complete answer .* \(TimeoutError\); "
    ):
        fetch_jar_files([JAR], tmp_path / "jars")
    assert list((tmp_path / "jars").iterdir()) == []
    ended.set()
