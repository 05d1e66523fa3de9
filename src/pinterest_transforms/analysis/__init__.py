"""The ten questions, how each is answered, and their charts."""
