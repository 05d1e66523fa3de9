"""The command line of ``local``: runs each command; every error ends in one line and an exit code."""

import argparse
import io
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from local.cli.command_options import USAGE, build_parser
from pinterest_transforms.error_format import one_line, redact
from pinterest_transforms.errors import LandingError, PinterestError, SettingsError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from local.cli.step_progress import StepReporter
    from local.notebooks.notebook_runner import Runner

FAILED = 1
_JAVA, _SESSION = "local.runtime.java", "local.runtime.spark_session"


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; its exit code."""
    if threading.current_thread() is threading.main_thread():  # no other one may
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, _stop)
    _check_streams()
    try:
        options = build_parser().parse_args(arguments)
    except SettingsError as error:
        print(f"error: {error}", file=sys.stderr)
        return USAGE
    ran_before = _call_if_imported(_SESSION, "is_running")
    try:
        _COMMANDS[options.command](options)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader (`| head`) has closed the pipe.
        _end_at_once(0)
    except Exception as error:
        code = _report_error(error, verbose=options.verbose)
        if not ran_before:
            _call_if_imported(_SESSION, "stop_running_session")
        if isinstance(error, OSError):
            # Otherwise Python would write the rest of the buffer again when it exits.
            _end_at_once(code)
        return code
    return 0


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


@contextmanager
def _open_session(
    warehouse: "str | Path", extra: Mapping[str, str] | None = None, *, quiet: bool = False
) -> "Iterator[tuple[SparkSession, StepReporter]]":
    from local.cli.step_progress import StepReporter  # noqa: PLC0415 - Spark's Python alone takes a second to import
    from local.runtime.spark_session import command_session  # noqa: PLC0415

    with StepReporter(quiet=quiet) as steps:
        steps("starting Spark")
        with command_session(warehouse, extra=extra) as spark:
            yield spark, steps
            steps("stopping Spark")


@contextmanager
def spark_run(
    warehouse: "str | Path", extra: Mapping[str, str] | None = None
) -> "Iterator[tuple[Runner, StepReporter]]":
    """A runner of notebooks with its session and screen, and progress; ``extra`` are Spark settings that win."""
    with _open_session(warehouse, extra) as (spark, steps):
        from local.notebooks.display import Screen  # noqa: PLC0415 - as above
        from local.notebooks.notebook_runner import Runner  # noqa: PLC0415

        screen = Screen()
        screen.paused = steps.paused
        yield Runner(spark, screen, progress=steps), steps


def _query_session(options: argparse.Namespace) -> "AbstractContextManager[tuple[SparkSession, StepReporter]]":
    """A session whose result goes to standard output in the options' format, with progress for a terminal only."""
    from local.cli.query_command import SESSION_SETTINGS  # noqa: PLC0415 - as above

    # One query is over before Java's optimizing compiler has paid for itself.
    os.environ.setdefault("JAVA_TOOL_OPTIONS", "-XX:TieredStopAtLevel=1")
    if options.format != "table":
        sys.stdout.reconfigure(encoding="utf-8", newline="")  # type: ignore[union-attr]
    return _open_session(options.warehouse.absolute(), SESSION_SETTINGS, quiet=not sys.stderr.isatty())


def _batch(options: argparse.Namespace) -> None:
    from local.cli.batch_command import BatchRun, preload, run_batch  # noqa: PLC0415 - as above

    batch = BatchRun(
        landing=options.landing.absolute(),
        warehouse=options.warehouse.absolute(),
        user_id=options.user_id,
        entity=options.entity,
        rebuild=options.rebuild,
        report=options.report.absolute() if options.report else None,
    ).validate()
    preload()
    with spark_run(batch.warehouse) as (runner, _):
        run_batch(runner, batch)


def _stream(options: argparse.Namespace) -> None:
    from local.cli.stream_command import StopRequest, StreamRun, run_stream  # noqa: PLC0415 - as above

    switches = ("rebuild", "new_checkpoint", "allow_losses")
    stream = StreamRun(
        warehouse=options.warehouse.absolute(),
        user_id=options.user_id,
        entity=options.entity,
        endpoint="" if options.endpoint in (None, "aws") else options.endpoint,
        database=options.database or "",
        region=options.region,
        initial_position=options.initial_position,
        trigger=options.trigger,
        rate=options.rate,
        switches=tuple(name for name in switches if getattr(options, name)),
    ).validate()
    stream.prepare()
    with spark_run(stream.warehouse) as (runner, steps):
        stopping = StopRequest(stream.settings(), _stop)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, stopping)
        done = run_stream(runner, stream, steps, stopping)
    if not done:
        print("stopped; the same command goes on where it was", file=sys.stderr)
        sys.exit(128 + stopping.signal_number)


def _notebook(options: argparse.Namespace) -> None:
    from local.cli.notebook_command import run_notebook, select_widget_values  # noqa: PLC0415 - as above

    path = options.path.absolute()
    values, others = select_widget_values(path, options.values)
    if others:
        print(f"left out, since {path.stem} has no such widget: {', '.join(others)}", file=sys.stderr)
    with spark_run(values.get("warehouse", "")) as (runner, _):
        run_notebook(runner, path, values)


def _sql(options: argparse.Namespace) -> None:
    from local.cli.query_command import check_query, find_schemas, open_query, use_warehouse, write_rows  # noqa: PLC0415

    check_query(options.query)
    warehouse = options.warehouse.absolute()
    schemas, schema = find_schemas(warehouse, options.schema)
    with _query_session(options) as (spark, steps):
        steps("reading the tables")
        use_warehouse(spark, warehouse, schemas, schema)
        steps("running the query")
        frame = open_query(spark, options.query, () if schema else schemas)
        write_rows(frame, options.format, sys.stdout, steps.paused)


def _explain(options: argparse.Namespace) -> None:
    from local.cli.explain_command import check_explanation  # noqa: PLC0415 - as above
    from local.cli.query_command import write_rows  # noqa: PLC0415

    explanation = check_explanation(
        options.answer,
        options.cell,
        warehouse=options.warehouse.absolute(),
        schema=options.schema,
        user_id=options.user_id,
        landing=options.landing.absolute(),
        raw=options.raw,
    )
    with _query_session(options) as (spark, steps):
        steps("finding the posts")
        write_rows(explanation.open(spark), options.format, sys.stdout, steps.paused)


def _erase(options: argparse.Namespace) -> None:
    from local.cli.erase_command import check_erasure, print_receipt, run_erasure  # noqa: PLC0415 - as above

    erasure = check_erasure(options)
    with _open_session(options.warehouse.absolute()) as (spark, steps):
        receipt = run_erasure(spark, erasure, steps)
    print_receipt(receipt, options)


def _undo(options: argparse.Namespace) -> None:
    from local.cli.erase_command import find_legs  # noqa: PLC0415 - as above
    from local.cli.undo_command import print_undone, undo  # noqa: PLC0415

    legs = find_legs(options)
    with _open_session(options.warehouse.absolute()) as (spark, steps):
        done = undo(spark, legs, options, steps)
    print_undone(done)


def _stack(options: argparse.Namespace) -> None:
    from local.cli.stack_command import run  # noqa: PLC0415 - as above

    run(options)


def _jars(options: argparse.Namespace) -> None:
    from local.runtime.jars import fetch_delta_jars  # noqa: PLC0415 - as above

    files = fetch_delta_jars()
    if options.stack:
        from local.stack.kafka_broker import fetch_kafka_jars  # noqa: PLC0415
        from local.stack.s3a_session import fetch_s3a_jars  # noqa: PLC0415

        files += [*fetch_kafka_jars(), *fetch_s3a_jars()]
    for file in files:
        print(file)


_COMMANDS: dict[str, Callable[[argparse.Namespace], None]] = {
    "batch": _batch,
    "stream": _stream,
    "notebook": _notebook,
    "sql": _sql,
    "explain": _explain,
    "erase": _erase,
    "undo": _undo,
    "jars": _jars,
    "stack": _stack,
}


def _report_error(error: Exception, *, verbose: bool) -> int:
    """Prints an error in one line, with its traceback on request. Returns the exit code."""
    from py4j.protocol import Py4JJavaError  # type: ignore[import-untyped]  # noqa: PLC0415 - as above
    from pyspark.errors import PySparkException  # noqa: PLC0415

    from local.cli.query_command import QueryError  # noqa: PLC0415

    # A disk that is full, an output that cannot be written: nothing of this project's. Any other is perhaps a bug.
    expected = isinstance(error, PinterestError | PySparkException | Py4JJavaError | OSError | MemoryError)
    if verbose:
        print(_redact_secrets("".join(traceback.format_exception(error))), file=sys.stderr)
    hint = "" if expected or verbose else " (--verbose shows where)"
    if code := _call_if_imported(_JAVA, "get_crash_code"):
        hint = f"; Spark's Java has ended with {code}: was it killed, or is memory short?"
    print(_redact_secrets(f"error: {one_line(error)}{hint}"), file=sys.stderr)
    return USAGE if isinstance(error, QueryError | SettingsError | LandingError) else FAILED


def _call_if_imported(module: str, function: str) -> Any:  # noqa: ANN401 - whatever the function returns
    """Calls a function of a module that only a command with Java imports; None where none did."""
    return getattr(sys.modules[module], function)() if module in sys.modules else None


def _redact_secrets(text: str) -> str:
    """The text without any secret of the environment: a traceback may quote what was read."""
    return redact(text, (value for name, value in os.environ.items() if name.startswith("PINTEREST_SECRET_")))


def _stop(number: int, _frame: object) -> NoReturn:
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
