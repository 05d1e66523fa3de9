"""Child processes that are measured, and checks of what they wrote."""
