"""The report page with the answers and the quality of the data."""
