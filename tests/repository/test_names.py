"""Names are the field's own: words that this project made up for itself do not come back."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = (
    "src",
    "emulation",
    "local",
    "notebooks",
    "resources",
    "orchestration",
    "workspace",
    "infrastructure",
    "benchmarks",
    "tests",
)

INSTEAD = {
    "take_landing": "ingest_landing",
    "take_streams": "ingest_streams",
    "take_batch": "process_micro_batch",
    "reach_landing": "resolve_landing_path",
    "landed": "landing_summary",
    "Reading": "KinesisSourceConfig",
    "Stream": "StreamInfo",
    "described": "describe_stream",
    "stream_of": "read_stream",
    "Work": "IngestContext",
    "Batch": "MicroBatch",
    "keep": "archive_raw",
    "kept_rows": "checkpointed_rows",
    "staged": "materialize",
    "Guard": "CheckpointState",
    "next_again": "next_replay_id",
    "cleared": "previous_removed",
    "way_out": "remedy",
    "gone_before": "purged_before",
    "say_gone": "record_purge",
    "waiting_lock": "setup_lock",
    "origin": "source_name",
    "judged": "validate_and_clean",
    "parsed": "parse_json",
    "rejections": "rejection_reasons",
    "listed": "matching_labels",
    "misplaced": "location_error",
    "own": "has_entity_fields",
    "trimmed": "trim_whitespace",
    "without": "null_if_placeholder",
    "follower_count": "parse_follower_count",
    "degrees": "parse_degrees",
    "instant": "parse_timestamp",
    "full_name": "join_names",
    "newest": "latest_per_key",
    "without_read": "exclude_reingested",
    "pieces": "file_splits",
    "located": "add_source",
    "overlap": "has_overlapping_offsets",
    "noted": "to_quarantine_rows",
    "holds_any": "has_quarantined",
    "number_of": "parse_float",
    "whole_number_of": "parse_int",
    "quoted": "quote_identifiers",
    "Bars": "QualityThresholds",
    "Figures": "TopicMetrics",
    "measured": "collect_metrics",
    "most_rejected": "max_rejected_ratio",
    "stale_hours": "max_age_hours",
    "Maintained": "MaintenanceResult",
    "attach": "register_tables",
    "Posts": "CleanTables",
    "say": "log",
    "Door": "Sink",
    "Fate": "ACKED, RETRY or FAILED",
    "Verdict": "RecordResult",
    "Attempt": "SendResult",
    "narrow": "split_and_retry",
    "Pace": "RetryPolicy",
    "Ledger": "DeliveryLog",
    "Reply": "HttpResponse",
    "Live": "ProgressDisplay",
    "Draws": "ColumnRandom",
    "oneline": "error_format",
    "Room": "DbutilsModule",
    "Machine": "DbutilsState",
    "asked": "request",
    "Steps": "StepReporter",
    "Standing": "RunStatus",
    "sight": "template_view",
    "evaluating": "cfn_evaluator",
    "stamping": "api_deployment_hash",
    "rehearsed": "dry_run",
}
"""Names of functions, classes, modules, parameters and attributes, and what stands in their place.

What is also a plain word of the field, such as ``text``, ``key`` and ``rows``, is not among them.
"""


def defined(source: str) -> Iterator[tuple[int, str]]:
    """Line and name of every function, class, parameter, and attribute of a class."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.lineno, node.name
        if isinstance(node, ast.arg):
            yield node.lineno, node.arg
        if isinstance(node, ast.ClassDef):
            for line in node.body:
                if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name):
                    yield line.lineno, line.target.id


@pytest.mark.parametrize("room", ROOMS)
def test_no_name_of_our_own_is_left(room: str) -> None:
    files = sorted((ROOT / room).rglob("*.py"))
    modules = [(file, 1, file.stem) for file in files]
    names = [(file, line, name) for file in files for line, name in defined(file.read_text(encoding="utf-8"))]
    found = [
        f"{file.relative_to(ROOT)}:{line}: {name}, say {INSTEAD[name]}"
        for file, line, name in modules + names
        if name in INSTEAD
    ]
    assert files
    assert found == []


def test_the_search_finds_what_it_is_for() -> None:
    source = "class Guard:\n    origin: str\n\n    async def keep(self, *asked): ...\n"
    assert [name for _, name in defined(source) if name in INSTEAD] == ["Guard", "origin", "keep", "asked"]
