"""``python -m tests.ingest.mutations``: mistakes in a micro-batch's order and conditions, each caught by a test.

Each mistake is planted in a copy of the library, and the tests that need no Java run on that copy. It takes two to
four minutes, so it is no part of ``make test``; run it when ``ingest`` changes. Exit code 1 if a mistake is not caught.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BATCH, LISTED, STATE, FILES = (
    f"ingest/{name}.py" for name in ("micro_batch", "landing_batches", "checkpoint_state", "ingested_files")
)
UNDO = "operations/undo_plan.py"
MUTATIONS: list[tuple[str, str, str]] = [
    (BATCH, "replay = number in state.before or", "replay = False and"),
    (BATCH, "replay = number in state.before or", "replay ="),
    (BATCH, "else state.has_quarantined\n", "else False\n"),
    (BATCH, "quarantined = effects.has_quarantined() if", "quarantined = False if"),
    (BATCH, "        state.has_quarantined = True\n", ""),
    (BATCH, "    if not replay:\n        state.before = {number: since}\n", ""),
    (BATCH, "    if not replay:\n        state.before", "    if True:\n        state.before"),
    (BATCH, "        state.before = {number: since}\n    state.save()\n", "        state.before = {number: since}\n"),
    (BATCH, "may_exist = replay or", "may_exist ="),
    (BATCH, "not batch.archive or counts", "counts"),
    (BATCH, "/ 1e6 <= known_until", "/ 1e6 < known_until - 1"),
    (BATCH, 'in ("known_until", "arrived")', 'in ("known_until",)'),
    (BATCH, 'in ("known_until", "arrived")', 'in ("arrived",)'),
    (BATCH, "        if may_exist:  #", "        if not may_exist:  #"),
    (BATCH, "    if bad or replaces:\n", "    if bad:\n"),
    (BATCH, "    if usable or replaces:\n", "    if usable:\n"),
    (BATCH, "merged = min(effects.write_clean(since), usable)", "merged = effects.write_clean(since)"),
    (BATCH, "effects.write_clean(since)", "effects.write_clean(effects.read_clean_version())"),
    (BATCH, "if counts.read and not (replay and _is_recorded(effects)):", "if counts.read:"),
    (BATCH, "if counts.read and not (replay", "if not (replay"),
    (BATCH, "recorded is not None and recorded != effects.counts.read", "False"),
    (BATCH, "        effects.remove_run()\n", ""),
    (BATCH, "usable - merged", "counts.read - merged"),
    (BATCH, "not (batch.archive and counts.lines)", "True"),
    (LISTED, "    state.pending_files = {str(number): sorted(stamps)}\n", ""),
    (LISTED, "    state.pending_files = {}\n", ""),
    (LISTED, "        state.next_batch_id += 1\n", ""),
    (LISTED, "    for number, paths in list(state.pending_files.items()):", "    for number, paths in ():"),
    (LISTED, "there = sorted(filter(landing.exists, paths))", "there = sorted(filter(landing.exists, paths))[1:]"),
    (LISTED, "replace = state.rebuild and batch_id == 0", "replace = state.rebuild"),
    (LISTED, "replace = state.rebuild and batch_id == 0", "replace = False"),
    (LISTED, "    state.rebuild = False\n    state.save()\n    return", "    return"),
    (LISTED, "size = len(new) if state.rebuild else landing.max_files", "size = landing.max_files"),
    (BATCH, 'progress["arrived"] = max(float(progress["arrived"]), counts.last_arrival / 1e6)', "pass"),
    (BATCH, "min(state.next_batch_id, -1)", "min(state.next_batch_id, 0)"),
    (BATCH, "        if int(number) >= 0:\n", "        if number is None:\n"),
    (BATCH, "    state.rebuild = False\n", ""),
    (BATCH, "    state.next_batch_id -= 1\n", ""),
    (STATE, "        new.save()\n        shutil.rmtree(checkpoint, ignore_errors=True)\n", "        new.save()\n"),
    (STATE, "rebuild=rebuild or unfinished", "rebuild=rebuild"),
    (FILES, "return self.stamps.get(key) == stamp", "return key in self.stamps"),
    (FILES, '        self._write(self._path, "ab", stamps)', "        pass"),
    (UNDO, "        effects.note_undone()\n", "        pass\n"),
    (UNDO, "        effects.restore_clean()\n", "        pass\n"),
    (UNDO, "        effects.remove_quarantined()\n", "        pass\n"),
    (UNDO, "        effects.remove_raw()\n", "        pass\n"),
    (UNDO, "owners.setdefault((one.file, one.arrived), batch)", "batch"),
    (UNDO, "{} if owner.undone else left", "left"),
    (UNDO, "first = _after(left[file].last) if file in left else one.first", "first = one.first"),
    (UNDO, "if first <= one.last:", "if first < one.last:"),
    (UNDO, "one._replace(first=first, arrived=arrived[file])", "one._replace(first=first)"),
    (UNDO, "yield from _without(one, earlier)", "yield one"),
    (UNDO, "for other in queries[: queries.index(query)]", "for other in queries"),
]  # fmt: skip
"""Module, text, and what is planted in its place."""


def is_caught(module: str, text: str, planted: str) -> bool:
    """Whether the search fails on a copy of the library with the mistake."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, "src")
        shutil.copytree(ROOT / "src", copy)
        file = copy / "pinterest_transforms" / module
        content = file.read_text(encoding="utf-8")
        if content.count(text) != 1:
            raise SystemExit(f"{module} must hold the text once, got it {content.count(text)} times: {text!r}")
        file.write_text(content.replace(text, planted), encoding="utf-8")
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "pytest",
                "-qx",
                "-m",
                "not java",
                "-p",
                "no:cacheprovider",
                "-o",
                f"pythonpath={copy} {ROOT}",
                "tests/operations/test_undo_search.py" if module == UNDO else "tests/ingest",
            ],
            cwd=ROOT,
            env={**os.environ, "ONLY_SEARCH": "1", "PYTHONPATH": os.pathsep.join([str(copy), str(ROOT)])},
            capture_output=True,
            text=True,
            check=False,
        )
    return done.returncode == 1


def main() -> int:
    """Plants one mistake after another."""
    missed = 0
    for number, (module, text, planted) in enumerate(MUTATIONS, 1):
        caught = is_caught(module, text, planted)
        missed += not caught
        shown = f"{' '.join(text.split())[:70]} -> {' '.join(planted.split())[:50]}"
        sys.stdout.write(f"{number:2d} {'caught' if caught else 'MISSED'}  {module}: {shown}\n")
        sys.stdout.flush()
    sys.stdout.write(f"{len(MUTATIONS) - missed} of {len(MUTATIONS)} caught\n")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
