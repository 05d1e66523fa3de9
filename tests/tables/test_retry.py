"""Retries: bounded, and only where another writer was in the way."""

import pytest
from pyspark.errors import AnalysisException

from pinterest_transforms.tables.retry import is_concurrent, with_retries


class ConcurrentAppendException(Exception):  # noqa: N818
    """As Delta names it."""


def failing(times: int, error: Exception):
    calls = []

    def work() -> str:
        calls.append(1)
        if len(calls) <= times:
            raise error
        return "done"

    return work, calls


def test_work_that_was_in_nobodys_way_is_done_once():
    work, calls = failing(0, ValueError())
    assert with_retries(work, pytest.fail) == "done"
    assert len(calls) == 1


def test_a_concurrent_error_is_tried_again_after_a_growing_pause():
    pauses: list[float] = []
    work, calls = failing(5, ConcurrentAppendException("files were added"))
    assert with_retries(work, pauses.append) == "done"
    assert len(calls) == 6
    for number, pause in enumerate(pauses, 1):
        wanted = min(8.0, 0.2 * 2**number)
        assert 0.5 * wanted <= pause <= 1.5 * wanted


def test_retries_end():
    pauses: list[float] = []
    work, calls = failing(99, ConcurrentAppendException("again"))
    with pytest.raises(ConcurrentAppendException, match="again"):
        with_retries(work, pauses.append)
    assert (len(calls), len(pauses)) == (8, 7)


def test_any_other_error_is_raised_at_once():
    work, calls = failing(99, ValueError("broken"))
    with pytest.raises(ValueError, match="broken"):
        with_retries(work, pytest.fail)
    assert len(calls) == 1


@pytest.mark.parametrize(
    ("error", "concurrent"),
    [
        (ConcurrentAppendException(""), True),
        (AnalysisException("[DELTA_CONCURRENT_APPEND] files were added"), True),
        (AnalysisException("[DELTA_METADATA_CHANGED]"), True),
        (AnalysisException("[TABLE_OR_VIEW_ALREADY_EXISTS] the table"), True),
        (AnalysisException("[TABLE_OR_VIEW_NOT_FOUND] the table"), False),
        (OSError("no space left"), False),
    ],
)
def test_which_errors_mean_that_another_writer_was_quicker(error: Exception, concurrent: bool):
    assert is_concurrent(error) is concurrent
