"""The library's log: for people and for machines, on standard output, once, whatever else logs. No Spark session."""

import io
import json
import logging
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stdout
from datetime import UTC, datetime

import pytest

from pinterest_transforms.errors import SettingsError
from pinterest_transforms.ingest.delta_effects import IngestContext, configure_batch_logging
from pinterest_transforms.logs import FIELDS, LOGGER, active_log_format, configure_logging
from pinterest_transforms.schemas import RUNS
from tests.support.log_lines import log_lines

LIBRARY = logging.getLogger(f"{LOGGER}.ingest.landing")
BATCH = {"run_id": "r", "topic": "abc.pin", "batch_id": 3, "read": 5, "merged": 4, "rejected": 1}


def test_people_read_the_messages_alone() -> None:
    with log_lines("text") as lines:
        LIBRARY.info("%s: %d new files", "abc.pin", 2, extra={"topic": "abc.pin", "files": 2})
        LIBRARY.info("of one micro-batch", extra=BATCH)
        LIBRARY.warning("two\nlines \x1b[31m")
        LIBRARY.error("it failed", extra=BATCH)
        LIBRARY.debug("nobody asked")
    assert lines == ["abc.pin: 2 new files", "two lines [31m", "error: it failed"]


def test_machines_read_fields() -> None:
    with log_lines("json") as lines:
        LIBRARY.info("of one\nmicro-batch", extra=BATCH | {"raw": "a record's text"})
        LIBRARY.warning("%s", "ü")
    first, second = map(json.loads, lines)
    age = datetime.now(UTC) - datetime.fromisoformat(first.pop("time"))
    assert 0 <= age.total_seconds() < 60
    assert first == {"level": "INFO", "logger": LIBRARY.name, "message": "of one micro-batch", **BATCH}
    assert (second["level"], second["message"]) == ("WARNING", "ü")


def test_fields_are_named_as_in_runs() -> None:
    assert {"run_id", "query_id", "batch_id", "topic", "seconds", "read", "merged", "already_there"} < set(FIELDS)
    assert {"rejected", "repaired"} < set(FIELDS)
    assert set(FIELDS) - set(RUNS.names) == {"table", "files", "conflicts"}


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_an_error_with_a_traceback_quotes_nothing(log_format: str) -> None:
    with log_lines(log_format) as lines:
        try:
            int("a record's text")
        except ValueError:
            LIBRARY.exception("it failed")
    assert len(lines) == 1
    assert "it failed" in lines[0]
    assert "a record's text" not in lines[0]


def test_a_second_call_changes_the_format_and_doubles_no_line() -> None:
    out, root = io.StringIO(), io.StringIO()
    handler = logging.StreamHandler(root)
    logging.getLogger().addHandler(handler)
    try:
        with redirect_stdout(out):
            for log_format in ("text", "text", "json", "text"):
                configure_logging(log_format)
                assert active_log_format() == log_format
            LIBRARY.info("once")
    finally:
        logging.getLogger().removeHandler(handler)
    assert (out.getvalue(), root.getvalue()) == ("once\n", "")


def test_loggers_of_others_stay_as_they_are() -> None:
    names = [None, "py4j", "pyspark", "botocore"]
    before = [(logging.getLogger(name).level, logging.getLogger(name).handlers[:]) for name in names]
    configure_logging("json")
    assert [(logging.getLogger(name).level, logging.getLogger(name).handlers[:]) for name in names] == before


def test_a_format_that_is_none_is_refused() -> None:
    with pytest.raises(SettingsError) as error:
        configure_logging("xml")
    assert str(error.value) == "log_format must be text or json, got 'xml'"
    assert active_log_format() == ""


def test_each_cell_of_a_notebook_may_have_a_standard_output_of_its_own() -> None:
    configure_logging("text")
    cells = io.StringIO(), io.StringIO()
    for number, cell in enumerate(cells):
        with redirect_stdout(cell):
            LIBRARY.info("cell %d", number)
    assert [cell.getvalue() for cell in cells] == ["cell 0\n", "cell 1\n"]


def test_lines_of_threads_do_not_mix() -> None:
    with log_lines("json") as lines, ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: LIBRARY.info("x" * 500, extra={"files": number}), range(200)))
    assert sorted(json.loads(line)["files"] for line in lines) == list(range(200))


def test_a_micro_batch_logs_as_its_query_s_process_does() -> None:
    """Over Spark Connect it runs in a process of its own, which nobody has configured."""
    silent = IngestContext(None, None, "r", None)  # type: ignore[arg-type]
    configure_logging("json")
    context = IngestContext(None, None, "r", None)  # type: ignore[arg-type]
    logging.getLogger(LOGGER).handlers.clear()
    configure_batch_logging(silent)
    assert active_log_format() == ""
    configure_batch_logging(context)
    assert active_log_format() == "json"


def test_a_closed_standard_output_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    configure_logging("text")
    monkeypatch.setattr(logging, "raiseExceptions", False)
    monkeypatch.setattr(sys, "stdout", None)
    LIBRARY.info("to nobody")
