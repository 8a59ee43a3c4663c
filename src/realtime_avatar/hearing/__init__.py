"""Audio to words: voice activity, end of turn, recognisers."""
