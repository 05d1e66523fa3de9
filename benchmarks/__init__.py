"""How long the batch takes beside reading raw, the plain notebook way and Polars: ``python -m benchmarks``."""
