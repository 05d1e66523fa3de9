"""Quality gate, summaries of a leg and of the landing, landing access."""
