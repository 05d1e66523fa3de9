"""Emulates the users of the service: generates a source database of posts and sends its records. Imports no Spark."""
