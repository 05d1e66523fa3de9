"""From arriving records to the clean tables: landing files, streams, the micro-batch and the state of a checkpoint."""
