"""How long the batch takes beside reading raw and the plain notebook way: ``python -m benchmarks``."""
