"""The model store: which weights, from where, under which licence."""
