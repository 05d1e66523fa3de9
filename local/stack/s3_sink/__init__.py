"""An emulator of Confluent's S3 sink connector."""
