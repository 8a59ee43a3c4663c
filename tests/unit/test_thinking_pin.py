from types import SimpleNamespace

import pytest

from realtime_avatar.thinking.llama import pin_threads


@pytest.mark.parametrize(
    ("count", "cores", "pinned"),
    [
        (2, {0, 1}, {0, 1}),
        (2, {3, 5, 9}, {5, 9}),
        (2, {0, 1, 2, 3}, set[int]()),
        (3, {0, 1}, set[int]()),
        (2, {0, 64}, set[int]()),
    ],
)
def test_threads_are_pinned_where_they_have_most_of_the_cores(
    count: int, cores: set[int], pinned: set[int]
) -> None:
    threads = SimpleNamespace(
        n_threads=count, cpumask=[False] * 64, mask_valid=False, strict_cpu=False
    )
    pin_threads(threads, cores)
    assert {core for core, used in enumerate(threads.cpumask) if used} == pinned
    assert threads.mask_valid == threads.strict_cpu == bool(pinned)
