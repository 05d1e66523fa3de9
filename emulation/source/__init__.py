"""The source database: where it is, how it is created and how it is read."""
