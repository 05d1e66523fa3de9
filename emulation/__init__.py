"""Plays the users of the service: makes a source database of posts and sends it on. Imports no Spark."""
