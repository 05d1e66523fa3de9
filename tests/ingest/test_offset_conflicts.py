"""Files that begin before offsets that were taken. No Spark; what stands in the tables is in the tests of storage."""

import pytest

from pinterest_transforms.ingest.landing_files import find_backward_partitions, format_backward_offsets, start_offsets


def paths(*starts: tuple[int, int]) -> list[str]:
    return [f"x/abc.pin+{partition}+{start:010d}.json.gz" for partition, start in starts]


def test_a_partitions_start_offsets_are_its_least_and_its_greatest() -> None:
    assert start_offsets(paths((0, 5), (0, 9), (0, 7)), "abc.pin") == {"0": (5, 9)}


@pytest.mark.parametrize(
    ("files", "compared", "said"),
    [
        ([], [], ""),
        ([(0, 101), (1, 8), (2, 0)], [], ""),
        ([(0, 100), (0, 200)], ["0"], ""),  # the last one again, as it grows
        ([(0, 0)], ["0"], "offsets of partition 0 go back from 100 to 0: "),
        ([(0, 300), (0, 50), (1, 7), (2, 0)], ["0", "1"], "offsets of partition 0 go back from 100 to 50: "),
        ([(1, 3), (0, 9)], ["0", "1"], "offsets of partition 0 go back from 100 to 9, and of 1 more: "),
    ],
)
def test_a_start_offset_that_goes_back_is_told(files: list[tuple[int, int]], compared: list[str], said: str) -> None:
    starts, last = start_offsets(paths(*files), "abc.pin"), {"0": 100, "1": 7}
    assert find_backward_partitions(starts, last) == compared
    reasons = "files are late or were rewritten; if the topic was made again, run with --rebuild"
    assert format_backward_offsets(starts, last) == (said and said + reasons)
