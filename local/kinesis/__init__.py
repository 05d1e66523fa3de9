"""Kinesis on one machine: a streaming source for Spark, and an emulator of the service."""
