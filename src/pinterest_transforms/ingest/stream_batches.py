"""The micro-batches of a stream, and the one that makes its tables again from the raw archive. Free of Spark."""

import time

from pinterest_transforms.ingest.checkpoint_state import CheckpointState, flush_to_disk
from pinterest_transforms.ingest.micro_batch import Counts, Effects, MicroBatch, process_micro_batch

_BEGUN = "begun"
"""What ``progress`` tells during a rebuild: the stream's last micro-batch, which a kill may have left half done."""
_COUNTED = ("read", "rejected", "repaired")


def begin_run(state: CheckpointState, run_id: str) -> None:
    """Starts to count a run of the stream, in ``state.progress``."""
    zeros = dict.fromkeys(("batches", *_COUNTED, "at"), 0.0)
    state.progress |= {"run_id": run_id, "began": time.time(), **zeros}
    state.save()


def process_stream_batch(effects: Effects, state: CheckpointState, batch: MicroBatch) -> Counts:
    """Processes a micro-batch, and saves how far the stream is: on the disk before Spark notes that it is done."""
    counts, progress = process_micro_batch(effects, state, batch), state.progress
    progress["batches"] = float(progress["batches"]) + 1
    for name in _COUNTED:
        progress[name] = float(progress[name]) + getattr(counts, name)
    progress["arrived"] = max(float(progress["arrived"]), counts.last_arrival / 1e6)
    progress["at"] = time.time()
    flush_to_disk()
    state.save()
    return counts


def begin_rebuild(state: CheckpointState, tables: dict[str, str]) -> None:
    """Notes that the stream's tables are to be made again from the raw archive.

    Args:
        state: the checkpoint's state.
        tables: ids of the tables it fills.
    """
    state.tables, state.commits, state.rebuild = tables, {}, True
    state.next_batch_id -= 1
    for number in state.before:
        if int(number) >= 0:
            state.progress[_BEGUN] = float(number)
    state.save()


def rebuild_batch(state: CheckpointState, run_id: str) -> MicroBatch:
    """The micro-batch that replaces what was made of the raw archive, or goes on with one that was killed."""
    state.next_batch_id = min(state.next_batch_id, -1)  # in a new checkpoint: 0 is the stream's own first batch
    return MicroBatch(run_id, state.next_batch_id, mode="replace")


def process_rebuild(effects: Effects, state: CheckpointState, batch: MicroBatch) -> None:
    """Makes the tables again from the raw archive."""
    process_micro_batch(effects, state, batch)
    if _BEGUN in state.progress:
        # Some of that batch may be archived and counted: should it come again, it is to be taken for begun.
        state.before = {str(int(state.progress.pop(_BEGUN))): effects.clean_version()}
    state.rebuild = False
    flush_to_disk()
    state.save()
