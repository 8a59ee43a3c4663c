"""Who takes part: voices and portraits with their owners' consent, and what was said."""
