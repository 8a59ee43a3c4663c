"""The kinds of engine: what they must do, how they are found, and fakes of each."""
