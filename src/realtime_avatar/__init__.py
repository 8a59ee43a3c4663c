"""Realtime Avatar: a photograph that listens, answers and is seen saying it."""

import os

# NumPy's products are small here, and the threads of its BLAS go on spinning after each: they
# would take the core that somebody is waiting for. It is read once, when NumPy is imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

__version__ = "0.1.0"
