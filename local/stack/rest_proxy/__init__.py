"""An emulator of Confluent's REST proxy, in front of a real broker."""
