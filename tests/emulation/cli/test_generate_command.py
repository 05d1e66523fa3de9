import os
import re
import signal
import subprocess
import sys
import threading
import time
from itertools import chain
from pathlib import Path

import pytest

from emulation.cli import progress_display
from emulation.cli.emulation_cli import main
from emulation.cli.progress_display import track
from emulation.source.database import connect, count_rows
from emulation.synthetic.delivery import DIRTY
from emulation.synthetic.generator import generate_rows
from emulation.synthetic.landing_writer import write_landing
from pinterest_transforms.entities import ENTITIES, PIN
from pinterest_transforms.settings import Settings
from tests.emulation.emulation_commands import ROOT

ENVIRONMENT = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}


def test_generate_writes_a_source_and_prints_its_counts(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    file = tmp_path / "source.db"
    assert main(["generate", "--posts", "2000", "--seed", "3", "--database", str(file)]) == 0
    counts = [count_rows(connect(str(file)), entity) for entity in ENTITIES]
    out, err = capsys.readouterr()
    assert err == ""
    rows = "{:,} rows in pinterest_data, {:,} rows in geolocation_data, {:,} rows in user_data".format(*counts)
    assert re.fullmatch(re.escape(f"made 2,000 posts ({rows}) in {file}, ") + r"\d+\.\d s\n", out)


def test_generate_writes_landing_files(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    landing = tmp_path / "landing"
    given = ["generate", "--posts", "900", "--database", f"sqlite:///{tmp_path}/source.db", "--landing", str(landing)]
    assert main([*given, "--user-id", "7up", "--delivery", "dirty"]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["landing", "source.db"]
    files = list(landing.rglob("*.json"))
    records = sum(file.read_bytes().count(b"\n") for file in files)
    assert {file.parent.parent.name for file in files} == {"7up.pin", "7up.geo", "7up.user"}
    assert (
        f" in {tmp_path}/source.db, {records:,} records in {len(files)} files in {landing}, " in capsys.readouterr().out
    )
    direct = Settings(user_id="7up", landing=str(tmp_path / "direct"))
    for entity in ENTITIES:
        write_landing(chain.from_iterable(generate_rows(entity, 900, 1)), entity, direct, delivery=DIRTY)
    assert {f.name: f.read_bytes() for f in (tmp_path / "direct").rglob("*.json")} == {
        f.name: f.read_bytes() for f in files
    }


def test_generate_overwrites_nothing_without_replace(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    file, landing = tmp_path / "source.db", tmp_path / "landing"
    given = ["generate", "--posts", "50", "--database", str(file)]
    assert main([*given, "--landing", str(landing)]) == 0
    capsys.readouterr()
    assert main([*given, "--landing", str(landing), "--replace"]) == 2
    assert main(given) == 2
    names = "pinterest_data, geolocation_data, user_data"
    assert capsys.readouterr().err.splitlines() == [
        f"error: {landing}/topics/12f6caff3559.pin already has 3 files: remove them, or choose another landing",
        f"error: {file} already has {names}: --replace drops and creates them again",
    ]
    assert main([*given, "--replace"]) == 0
    # Another user's topics in the same landing.
    assert main([*given, "--landing", str(landing), "--replace", "--user-id", "7up"]) == 0
    assert [path.name for path in landing.iterdir()] == ["topics"]
    assert len(list(landing.glob("topics/*"))) == 6


BOUNDS, SEE = "must be a whole number from 1 to 100,000,000", " (see python -m emulation generate --help)"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([], "the following arguments are required: COMMAND (see python -m emulation --help)"),
        (["generate", "--posts", "many"], f"argument --posts: {BOUNDS}, got 'many'{SEE}"),
        (["generate", "--posts", "0"], f"argument --posts: {BOUNDS}, got '0'{SEE}"),
        (["generate", "--user-id", "x;"], "user_id must be 3 to 32 of a-z and 0-9, got 'x;'"),
        (["generate", "--landing", "s3://b"], "landing must be a folder of this machine, got 's3://b'"),
        (
            ["generate", "--database", "mysql://u:c4n4ry@h:port/d"],
            "database must be a file or a SQLAlchemy URL, as mysql+pymysql://user@host/name",
        ),
        (
            ["generate", "--databse", "mysql://u:c4n4ry@h/d"],
            "arguments must be known ones, got --databse (see python -m emulation generate --help)",
        ),
    ],
)
def test_a_mistake_is_one_line(
    given: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(given) == 2
    assert capsys.readouterr() == ("", f"error: {message}\n")
    assert list(tmp_path.iterdir()) == []


def test_the_database_may_come_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setenv("PINTEREST_DATABASE", "mysql+pymysql://somebody:c4n4ry@127.0.0.1:1/posts")
    assert main(["generate"]) == 2
    out, err = capsys.readouterr()
    assert err.startswith("error: database mysql+pymysql://somebody:***@127.0.0.1:1/posts cannot be used: ")
    assert err.count("\n") == 1
    assert "c4n4ry" not in out + err
    with pytest.raises(SystemExit):
        main(["generate", "--help"])
    text = capsys.readouterr().out
    assert "c4n4ry" not in text
    for option in ("--posts", "--seed", "--database", "--replace", "--landing", "--user-id", "--delivery"):
        assert option in text


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_what_is_interrupted_leaves_nothing_that_looks_complete(tmp_path: Path, number: signal.Signals) -> None:
    file, part = tmp_path / "source.db", tmp_path / "source.db.part"
    command = [sys.executable, "-m", "emulation", "generate", "--posts", "5000000", "--database", str(file)]
    command += ["--landing", str(tmp_path / "landing")]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ENVIRONMENT, cwd=tmp_path, text=True
    ) as process:
        deadline = time.monotonic() + 20
        while (not part.exists() or part.stat().st_size < 10**6) and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(number)
        out, err = process.communicate(timeout=20)
    left = sorted(path.name for path in tmp_path.iterdir())
    if number == signal.SIGINT:
        # On a slow machine a line of progress comes before.
        assert (process.returncode, out, err.splitlines()[-1:], left) == (130, "", ["interrupted"], [])
    else:
        assert left == ["landing.part", "source.db.part", "source.db.part-journal"]
    assert main([*command[3:5], "5", *command[6:]]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["landing", "source.db"]
    assert count_rows(connect(str(file)), PIN) == 5


def test_it_imports_no_spark(tmp_path: Path) -> None:
    program = (
        "import sys, emulation.cli.emulation_cli\n"
        "code = emulation.cli.emulation_cli.main(['generate', '--posts', '5', '--landing', 'landing'])\n"
        "print(code, sorted({name.split('.')[0] for name in sys.modules} & {'pyspark', 'delta', 'py4j', 'pandas'}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], env=ENVIRONMENT, cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "0 []"
    assert (tmp_path / "build" / "source.db").exists()


@pytest.mark.parametrize("terminal", [True, False])
def test_track_returns_every_batch_and_displays_progress(
    terminal: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    for name in ("FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("FORCE_COLOR" if terminal else "NO_COLOR", "1")
    batches = [[1, 2], [3], [4]]
    assert list(track("making tea", 4, iter(batches))) == batches
    out, err = capsys.readouterr()
    assert out == ""
    assert ("making tea: 4 of 4" in err) == terminal


def test_a_changing_text_is_printed_where_no_terminal_is(monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.setattr(progress_display, "INTERVAL_SECONDS", 0.01)
    monkeypatch.setenv("TERM", "dumb")
    count, enough = iter(range(10**9)), threading.Event()

    def get_text() -> str:
        number = next(count)
        if number == 2:
            enough.set()
        return f"sent {number}"

    with progress_display.display_text(get_text):
        assert enough.wait(20)
    assert capsys.readouterr().err.splitlines()[:3] == ["sent 0", "sent 1", "sent 2"]


def test_a_landing_that_cannot_be_written_leaves_no_source(tmp_path: Path, capsys) -> None:
    (tmp_path / "file").touch()
    given = [
        "generate",
        "--posts",
        "5",
        "--database",
        str(tmp_path / "a.db"),
        "--landing",
        str(tmp_path / "file" / "x"),
    ]
    assert main(given) == 2
    assert "error: landing" in capsys.readouterr().err
    assert not (tmp_path / "a.db").exists()


def test_an_output_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "emulation", "generate", "--posts", "5", "--database", str(tmp_path / "a.db")]
    with Path("/dev/full").open("w") as full:
        run = subprocess.run(command, cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (run.returncode, run.stderr) == (2, "error: output cannot be written: No space left on device\n")
