"""Realtime Avatar: a photograph that listens, answers and is seen saying it."""

__version__ = "0.1.0"
