"""What happened when, and how long it took."""
