"""The data contract of the tables: an Open Data Contract Standard file, made of ``schemas``."""
