"""The only place that touches storage: landing files, Delta tables, checkpoints and what stands beside them."""
