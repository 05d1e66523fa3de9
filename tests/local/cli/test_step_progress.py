import contextlib
import io
import re
import threading
import time

import pytest

from local.cli import step_progress
from local.cli.step_progress import StepProgress
from local.notebooks.display import Screen
from local.notebooks.notebook_runner import _Printed
from pinterest_transforms.error_format import one_line
from pinterest_transforms.errors import TableError


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_plain_lines_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    err = io.StringIO()

    with StepProgress(err) as steps:
        steps("starting Spark")
        steps("cleaning\npins")
        steps("cleaning\npins")
        # The stream's own log has them there.
        with steps.show_lines([lambda: "12 records"]):
            pass

    assert err.getvalue() == "[0 s] starting Spark\n[0 s] cleaning pins\n"
    assert capsys.readouterr() == ("", "")


def test_a_long_step_has_more_lines_where_there_is_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(step_progress, "_FIRST_REPEAT_SECONDS", 0.6)
    err = io.StringIO()

    with StepProgress(err) as steps:
        steps("cleaning pins")
        with steps.pause():  # no line comes between what is written then
            time.sleep(0.7)
            assert err.getvalue() == "[0 s] cleaning pins\n"
        time.sleep(1.0)
        steps("computing answers")
    time.sleep(0.7)

    first, *more, last = re.sub(r"\[\d s\] ", "", err.getvalue()).splitlines()
    assert (first, last) == ("cleaning pins", "computing answers")
    assert more[:2] == ["cleaning pins: 1 s so far"] * 2  # after 0.6 and after 1.2 s


def test_a_terminal_without_a_cursor_has_plain_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    err = Terminal()

    with StepProgress(err) as steps:
        steps("starting Spark")

    assert err.getvalue() == "[0 s] starting Spark\n"


def test_a_live_line_with_seconds_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    err = Terminal()

    with StepProgress(err) as steps:
        steps("starting [bold]Spark")
        with steps.pause():
            err.write("<answer>")
        steps("cleaning pins")
        with steps.show_lines([lambda: "12 records"]):
            time.sleep(0.3)
            with steps.pause():
                err.write("<log>\n")
            time.sleep(0.3)
        steps.end()
        err.write("<rows>")

    assert err.getvalue().endswith("<rows>")
    # What was written stays: the live lines that begin anew wipe none above them.
    assert "\x1b[1A" not in err.getvalue().partition("<log>\n")[2].partition("cleaning")[0]
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", err.getvalue())
    assert "starting [bold]Spark 0:00:00" in text
    assert "cleaning pins 0:00:00" in text
    assert "12 records" in text
    assert "<answer>" in text


def test_nothing_at_all_when_quiet() -> None:
    err = io.StringIO()

    with StepProgress(err, quiet=True) as steps:
        steps("starting Spark")

    assert err.getvalue() == ""


STREAM_FAILED = """[STREAM_FAILED] Query terminated with exception: [FOREACH_BATCH] An error \
occurred. Reason: An exception was raised by the Python Proxy. Return Message: Traceback (most recent call last):
  File "x.py", line 1, in call
    raise TableError("old")
pinterest_transforms.errors.TableError: pins must be Delta, got a folder

\tat py4j.Protocol.getReturnValue(Protocol.java:476)
=== Streaming Query ===
"""


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (TableError("pins must be Delta"), "pins must be Delta"),
        (ValueError("one\ntwo"), "ValueError: one"),
        (KeyError(), "KeyError"),
        (RuntimeError("\n\n  [PARSE] wrong;\n== SQL =="), "RuntimeError: [PARSE] wrong"),
        (RuntimeError(STREAM_FAILED), "TableError: pins must be Delta, got a folder"),
        (
            RuntimeError("An error occurred while calling o1.x.\n: java.io.IOException: disk full\n\tat a.b"),
            "IOException: disk full",
        ),
        (
            RuntimeError(
                "An error occurred while calling o89.x.\n: org.apache.spark.SparkException: Exception thrown in "
                "awaitResult: \n\tat a.b(C.scala:1)\nCaused by: org.apache.spark.SparkRuntimeException: [RAISED] boom\n"
            ),
            "SparkRuntimeException: [RAISED] boom",
        ),
    ],
)
def test_every_error_has_one_line(error: Exception, line: str) -> None:
    assert one_line(error) == line


def test_lines_of_three_threads_never_mix() -> None:
    err = io.StringIO()
    out = io.StringIO()
    steps, screen = StepProgress(err), Screen(out)
    screen.pause = steps.pause
    topics = ("abc.pin", "abc.geo", "abc.user")

    def write_lines(topic: str) -> None:
        for number in range(50):
            print(f"{topic}: file {number}")  # noqa: T201 - writes a line and its end apart
            steps(f"{topic}: step {number}")
            screen.display(f"{topic}: table {number}")

    printed = _Printed(screen)
    with steps, contextlib.redirect_stdout(printed):
        print("begun ", end="")  # noqa: T201 - writes a line and its end apart
        threads = [threading.Thread(target=write_lines, args=(topic,)) for topic in topics]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        print("ended")  # noqa: T201 - writes a line and its end apart

    assert sorted(re.sub(r"\[\d+ s\] ", "", err.getvalue()).splitlines()) == sorted(
        f"{topic}: step {number}" for topic in topics for number in range(50)
    )
    lines = out.getvalue().splitlines()
    assert lines[-1] == "begun ended"
    for topic in topics:
        of_topic = [line for line in lines if line.startswith(topic)]
        assert of_topic == [f"{topic}: {what} {number}" for number in range(50) for what in ("file", "table")]
    assert len(lines) == 1 + 2 * 50 * len(topics)
