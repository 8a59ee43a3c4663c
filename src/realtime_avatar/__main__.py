"""`python -m realtime_avatar`: the `avatar` command."""

from realtime_avatar.cli import main

if __name__ == "__main__":
    main()
