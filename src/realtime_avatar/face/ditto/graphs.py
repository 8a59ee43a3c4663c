"""Functions of tensors, compiled and recorded as CUDA graphs.

A graph replays thousands of kernels at the price of one launch; its inputs and outputs stay
in the same memory.
"""

from collections.abc import Callable
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor

T = TypeVar("T")

_WARM = 3  # runs before the recording: compilation, libraries' choices of algorithm


class Recorded(Generic[T]):
    """A function that was recorded once for inputs of these shapes.

    Args:
        work: From tensors on one CUDA device to one or more there. It must do the same kernels
            each time.
        examples: Inputs. They are copied.
    """

    def __init__(self, work: Callable[..., T], *examples: Tensor) -> None:
        self._inputs = [example.clone() for example in examples]
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream), torch.inference_mode():
            for _ in range(_WARM):
                work(*self._inputs)
        torch.cuda.current_stream().wait_stream(stream)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph), torch.inference_mode():
            self._output = work(*self._inputs)

    def __call__(self, *inputs: Tensor) -> T:
        """Return the output, which the next call overwrites."""
        for kept, given in zip(self._inputs, inputs, strict=True):
            kept.copy_(given, non_blocking=True)
        self.replay()
        return self._output

    def replay(self) -> None:
        """Do it again with the inputs of last time."""
        self._graph.replay()


def compiled(work: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Return `work` compiled for inputs of fixed shapes; the first call takes a minute."""
    import torch._inductor.config as inductor

    # Indices are clamped where they are made.
    inductor.assert_indirect_indexing = False
    options: dict[str, Any] = {"fullgraph": True, "dynamic": False}
    return torch.compile(work, **options)
