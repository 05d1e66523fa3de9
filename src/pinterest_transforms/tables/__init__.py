"""Delta tables of a leg: definitions, creation and migration, writers, answer tables, maintenance, raw archive."""
