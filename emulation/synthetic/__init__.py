"""Synthetic posts, and landing files of them."""
