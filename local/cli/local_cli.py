"""The command line of ``local``: runs each command; every error ends in one line and an exit code."""

import io
import os
import signal
import sys
import threading
import traceback
from collections.abc import Sequence
from pkgutil import resolve_name
from typing import Any, NoReturn

from local.cli.command_options import USAGE, build_parser
from pinterest_transforms.error_format import one_line, redact
from pinterest_transforms.errors import LandingError, PinterestError, SettingsError

FAILED = 1
_JAVA, _SESSION = "local.runtime.java", "local.runtime.spark_session"


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; its exit code."""
    if threading.current_thread() is threading.main_thread():  # no other one may
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, stop_process)
    _check_streams()
    try:
        options = build_parser().parse_args(arguments)
    except SettingsError as error:
        print(f"error: {error}", file=sys.stderr)
        return USAGE
    ran_before = _call_if_imported(_SESSION, "is_running")
    try:
        # Imported for the chosen command alone: Spark's Python takes a second.
        code: int = resolve_name(f"local.cli.{options.run}")(options) or 0
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader (`| head`) has closed the pipe.
        _end_at_once(0)
    except Exception as error:
        code = _report_error(error, verbose=options.verbose)
        if isinstance(error, OSError):
            # Otherwise Python would write the rest of the buffer again when it exits.
            _end_at_once(code)
    if not ran_before:
        _call_if_imported(_SESSION, "stop_running_session")
    return code


def _check_streams() -> None:
    """Checks that standard output and error can be written: the next file would get a closed one's number."""
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123 - as long as the process
    if sys.stdout is None:
        print("error: standard output must be open", file=sys.stderr)
        sys.exit(USAGE)
    # Data has characters that not every terminal has.
    for stream in (sys.stderr, sys.stdout):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _report_error(error: Exception, *, verbose: bool) -> int:
    """Prints an error in one line, with its traceback on request. Returns the exit code."""
    # Spark's Python alone takes a second to import.
    from py4j.protocol import Py4JJavaError  # type: ignore[import-untyped]  # noqa: PLC0415
    from pyspark.errors import PySparkException  # noqa: PLC0415

    # A disk that is full, an output that cannot be written: nothing of this project's. Any other is perhaps a bug.
    expected = isinstance(error, PinterestError | PySparkException | Py4JJavaError | OSError | MemoryError)
    if verbose:
        print(_redact_secrets("".join(traceback.format_exception(error))), file=sys.stderr)
    hint = "" if expected or verbose else " (--verbose shows where)"
    if code := _call_if_imported(_JAVA, "get_crash_code"):
        hint = f"; Spark's Java has ended with {code}: was it killed, or is memory short?"
    print(_redact_secrets(f"error: {one_line(error)}{hint}"), file=sys.stderr)
    return USAGE if isinstance(error, SettingsError | LandingError) else FAILED


def _call_if_imported(module: str, function: str) -> Any:  # noqa: ANN401 - whatever the function returns
    """Calls a function of a module that only a command with Java imports; None where none did."""
    return getattr(sys.modules[module], function)() if module in sys.modules else None


def _redact_secrets(text: str) -> str:
    """The text without any secret of the environment: a traceback may quote what was read."""
    return redact(text, (value for name, value in os.environ.items() if name.startswith("PINTEREST_SECRET_")))


def stop_process(number: int, _frame: object) -> NoReturn:
    """Ends this process and its Java at once: 130 after Ctrl-C, 143 after a request to end.

    An exception would have to find its way out through the connection to Java, which turns it into something else.
    Everything on disk is safe against that: a process may be killed at any moment.
    """
    for other in (signal.SIGINT, signal.SIGTERM):
        signal.signal(other, signal.SIG_IGN)
    if sys.stderr.isatty():
        # The live line is wiped, the cursor shown again.
        os.write(sys.stderr.fileno(), b"\r\x1b[2K\x1b[?25h")
    _end_at_once(128 + number)


def _end_at_once(code: int) -> NoReturn:
    # Threads of ours that wait for Java, and threads of Java cut off in their work, would each print a traceback.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    _call_if_imported(_JAVA, "kill_java")
    os._exit(code)
