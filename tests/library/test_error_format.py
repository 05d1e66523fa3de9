"""The cause in the one line, wherever Spark has wrapped it. The texts are Spark's own, without most of their traces."""

import pytest

from pinterest_transforms.error_format import one_line, shorten
from pinterest_transforms.errors import TableError

FULL = """\
: org.apache.spark.SparkException: [TASK_WRITE_FAILED] Task failed while writing rows to file:/w/pins. SQLSTATE: 58030
\tat org.apache.spark.sql.errors.QueryExecutionErrors$.taskFailedWhileWritingRowsError(QueryExecutionErrors.scala:776)
\tSuppressed: org.apache.spark.util.Utils$OriginalTryStackTraceException: Full stacktrace of original caller
\t\tat org.apache.spark.sql.errors.QueryExecutionErrors$.taskFailedWhileWritingRowsError(QueryExecutionErrors.scala:776)
Caused by: org.apache.hadoop.fs.FSError: java.io.IOException: No space left on device
\tat org.apache.hadoop.fs.RawLocalFileSystem$LocalFSFileOutputStream.write(RawLocalFileSystem.java:549)
\t... 16 more
Caused by: java.io.IOException: No space left on device
\tat java.base/java.io.FileOutputStream.writeBytes(Native Method)
\t... 36 more
"""
CHECKSUM = """\
: org.apache.spark.SparkException: [FAILED_READ_FILE.NO_HINT] Encountered error while reading file file:///l/a.json.
\tat org.apache.spark.sql.errors.QueryExecutionErrors$.cannotReadFilesError(QueryExecutionErrors.scala:904)
Caused by: org.apache.hadoop.fs.ChecksumException: Checksum error: file:/l/a.json at 0 exp: 1 got: 2
\tat org.apache.hadoop.fs.FSInputChecker.verifySums(FSInputChecker.java:347)
"""
PERMISSION = """\
: org.apache.spark.SparkException: Job aborted.
Caused by: java.io.FileNotFoundException: /w/pins/_delta_log/00.json (Permission denied)
\tat java.base/java.io.FileOutputStream.open0(Native Method)
"""
PROGRAM = """\
: org.apache.spark.SparkException: Job aborted.
Caused by: java.io.IOException: Cannot run program "/venv/bin/python": error=13, Permission denied
\tat java.base/java.lang.ProcessBuilder.start(ProcessBuilder.java:1143)
Caused by: java.io.IOException: error=13, Permission denied
\tat java.base/java.lang.ProcessImpl.forkAndExec(Native Method)
"""
WITHOUT_MESSAGE = """\
: org.apache.spark.SparkException: Exception thrown in awaitResult: \n\tat a.b(C.scala:1)
Caused by: java.util.concurrent.ExecutionException: the task has failed
Caused by: java.lang.StackOverflowError
\tat a.b(C.scala:2)
"""
CASES = [
    (FULL, "IOException: No space left on device (file:/w/pins)"),
    (CHECKSUM, "ChecksumException: Checksum error: file:/l/a.json at 0 exp: 1 got: 2"),
    (PERMISSION, "FileNotFoundException: /w/pins/_delta_log/00.json (Permission denied)"),
    (PROGRAM, 'IOException: Cannot run program "/venv/bin/python": error=13, Permission denied'),
    (WITHOUT_MESSAGE, "ExecutionException: the task has failed: StackOverflowError"),
]
CALL = "An error occurred while calling o89.append.\n"
TRACE = 'Traceback (most recent call last):\n  File "batches.py", line 1, in call\n    frame.write.append()\n'
FOREACH = (
    "[STREAM_FAILED] Query [id = 1, runId = 2] terminated with exception: [FOREACH_BATCH_USER_FUNCTION_ERROR] An error "
    "occurred in the user provided function in foreach batch sink. Reason: "
)
PLAN = "\n SQLSTATE: 39000\n=== Streaming Query ===\nCaused by: java.lang.Error: of the plan\n"


class StreamingQueryException(Exception):  # noqa: N818 - pyspark's name
    """As pyspark raises it."""


class SparkConnectGrpcException(Exception):  # noqa: N818 - pyspark's name
    """As pyspark raises it."""


@pytest.mark.parametrize(("trace", "line"), CASES)
def test_of_a_call_of_java_it_is_the_innermost_cause(trace: str, line: str) -> None:
    assert one_line(Exception(CALL + trace)) == line


@pytest.mark.parametrize(("trace", "line"), CASES)
def test_of_a_stream_it_is_what_the_function_met(trace: str, line: str) -> None:
    text = (
        f"{FOREACH}An exception was raised by the Python Proxy. Return Message: {TRACE}"
        f"py4j.protocol.Py4JJavaError: {CALL}{trace}{PLAN}"
    )

    assert one_line(StreamingQueryException(text)) == line


@pytest.mark.parametrize(("trace", "line"), CASES)
def test_over_spark_connect_it_is_the_same(trace: str, line: str) -> None:
    first, _, rest = trace.removeprefix(": org.apache.spark.SparkException: ").partition("\n")
    told = f"{first}\n\nJVM stacktrace:\norg.apache.spark.SparkException\n{rest}"
    in_stream = f"{FOREACH}Found error inside foreachBatch Python process: {TRACE}pyspark.errors.SparkException: {told}"

    got = [one_line(SparkConnectGrpcException(told)), one_line(StreamingQueryException(in_stream + PLAN))]

    # Spark Connect leaves the class out of the first line, and with it the place.
    assert got == [line.removesuffix(" (file:/w/pins)")] * 2


@pytest.mark.parametrize(
    ("raised", "line"),
    [
        ("pinterest_transforms.errors.TableError: pins must be Delta", "TableError: pins must be Delta"),
        ("ValueError: bad", "ValueError: bad"),
        ("KeyError", "KeyError"),
    ],
)
def test_an_error_of_the_function_itself_is_told_as_it_is(raised: str, line: str) -> None:
    nested = f"{FOREACH}An exception was raised by the Python Proxy. Return Message: {TRACE}{raised}\n{PLAN}"
    # One that was raised because of another, of Java's.
    cause = (
        f"{TRACE}py4j.protocol.Py4JJavaError: {CALL}{FULL}\n\nThe above exception was the direct cause of the following"
    )

    assert one_line(StreamingQueryException(nested)) == line
    assert one_line(StreamingQueryException(f"{FOREACH}{cause} exception:\n\n{TRACE}{raised}\n{PLAN}")) == line


@pytest.mark.parametrize(
    "message",
    [
        "[CAST_INVALID_INPUT] The value 'it's Ann's' of the type \"STRING\" cannot be cast to \"INT\"",
        '[CAST_INVALID_INPUT] The value \'Ann\nBlue\' of the type "STRING" cannot be cast to "INT"',
        'For input string: "Ann "Blue""',
        "Text 'Ann 2020' could not be parsed at index 0",
        "invalid literal for int() with base 10: 'Ann'",
        "could not convert string to float: 'Ann'",
        "time data 'Ann' does not match format '%Y'",
        "[MALFORMED_RECORD_IN_PARSING] Malformed records are detected in record parsing: [Ann,null].",
    ],
)
def test_no_data_is_quoted(message: str) -> None:
    java = (
        f"{CALL}: org.apache.spark.SparkException: Job aborted.\nCaused by: a.NumberFormatException: {message}\n\tat a"
    )

    for error in (
        ValueError(message),
        Exception(java),
        StreamingQueryException(f"{FOREACH}{TRACE}a.XError: {message}"),
    ):
        assert "Ann" not in one_line(error)
        assert "…" in one_line(error)


def test_a_message_of_this_project_is_left_as_it_is() -> None:
    assert one_line(TableError("The value 'x' of the type must be one")) == "The value 'x' of the type must be one"


class Unreadable(Exception):  # noqa: N818
    """As an exception of Java is when Java has ended."""

    def __str__(self) -> str:
        raise ConnectionError


def test_an_error_without_a_text_is_told_by_its_name() -> None:
    assert one_line(Unreadable()) == "Unreadable"


def test_a_long_text_is_shortened_on_one_line() -> None:
    assert [shorten(" a \x1b[2J\n\u202eb", limit) for limit in (7, 6)] == ["a [2J b", "a [2J…"]
