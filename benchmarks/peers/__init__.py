"""What the batch and the senders are measured beside, and what the senders send to."""
