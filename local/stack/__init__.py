"""The whole system on one machine: its parts, each a process, started together."""
