"""The command line of the emulation."""
