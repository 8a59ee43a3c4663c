"""Who takes part and what was said: the store behind conversations."""
