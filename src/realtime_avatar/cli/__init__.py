"""The `avatar` command."""

from realtime_avatar.cli.main import main

__all__ = ["main"]
