"""A language model on this processor's cores, computed by kernels of our own."""
