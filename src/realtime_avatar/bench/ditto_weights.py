"""Weights and inputs for Ditto's networks that depend on nothing but their names.

With them two implementations can be compared where the trained weights cannot be had: every
number follows from a tensor's name and shape through Philox.
"""

import zlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

_ROUNDS = 8  # of power iteration, for the singular vectors of spectral norms


def tensor(name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Return standard normal numbers that depend on the name and the shape alone."""
    generator = np.random.Generator(np.random.Philox(zlib.crc32(name.encode())))
    return generator.standard_normal(shape, dtype=np.float32)


def weights(state: Mapping[str, "Tensor"]) -> dict[str, "Tensor"]:
    """Return numbers for all parameters and buffers of a network, scaled so that it works.

    Args:
        state: The network's `state_dict()`; its shapes are used, and its integers kept.
    """
    import torch

    made: dict[str, Tensor] = {}
    for name, value in state.items():
        if value.is_floating_point() and not name.endswith(("weight_u", "weight_v")):
            made[name] = torch.from_numpy(_scaled(name, tuple(value.shape)))
        else:
            made[name] = value.clone()
    for name in [name for name in state if name.endswith("weight_u")]:
        stem = name.removesuffix("_u")
        matrix = made[f"{stem}_orig"].flatten(1).double()
        u = torch.full((len(matrix),), len(matrix) ** -0.5, dtype=torch.float64)
        v = u.new_zeros(matrix.shape[1])
        for _ in range(_ROUNDS):
            v = torch.nn.functional.normalize(u @ matrix, dim=0)
            u = torch.nn.functional.normalize(matrix @ v, dim=0)
        made[name], made[f"{stem}_v"] = u.float(), v.float()
    return made


def _scaled(name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
    numbers = tensor(name, shape or (1,)).reshape(shape)
    match name.rpartition(".")[2]:
        case "running_var":
            numbers = 1 + 0.1 * np.tanh(numbers)
        case "running_mean":
            numbers = 0.1 * numbers
        case "bias" | "beta":
            numbers = 0.05 * numbers
        case _ if len(shape) >= 2:
            numbers = numbers / np.sqrt(np.prod(shape[1:])).astype(np.float32)
        case _:
            numbers = 1 + 0.1 * numbers
    return np.ascontiguousarray(numbers, np.float32)
