"""Ditto, a neural face: speech to motion by latent diffusion, motion to pictures by warping.

Li et al., "Ditto: Motion-Space Diffusion for Controllable Realtime Talking Head Synthesis",
ACM MM 2025; its networks of pictures are those of Guo et al., "LivePortrait", 2024, its
diffusion decoder that of Tseng et al., "EDGE", CVPR 2023. Written anew for this project; the
names of modules and parameters are those of the published checkpoints, so that they load.

Everything here but `engine` needs PyTorch (the extra `gpu`) and is imported when the engine
is constructed.
"""
