"""Sends source records to Kafka and Kinesis."""
