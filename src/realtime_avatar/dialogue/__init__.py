"""The four rooms joined into a conversation."""
