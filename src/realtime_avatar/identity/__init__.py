"""Who takes part, what they agreed to and what was said: voices, consent, conversations."""
