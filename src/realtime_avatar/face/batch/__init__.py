"""The mesh face on a GPU, of many portraits at once. Needs PyTorch with CUDA, and Triton."""
