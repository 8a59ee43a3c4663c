"""The steps from an empty or older database to this version's, by Alembic.

A step is a module in `versions`, written by hand: copy the newest one, give it the next
number and name the one before in `down_revision`. A step that was released never changes.
"""
