"""What the batch is measured beside: reading raw, the plain notebook way, Polars."""
