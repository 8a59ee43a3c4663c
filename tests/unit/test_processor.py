"""What is asked of the processor."""

import pytest

from realtime_avatar import processor


def test_what_is_no_x86_has_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    processor.features.cache_clear()
    monkeypatch.setattr(processor.platform, "machine", lambda: "arm64")
    try:
        assert processor.features() == {}
        assert processor.lanes() == 0
        assert not processor.computes_chats()
    finally:
        processor.features.cache_clear()


def test_numba_may_be_told_that_it_is_another(monkeypatch: pytest.MonkeyPatch) -> None:
    processor.features.cache_clear()
    monkeypatch.setattr("numba.config.CPU_NAME", "generic")
    try:
        assert not processor.computes_chats()
    finally:
        processor.features.cache_clear()


@pytest.mark.parametrize(
    ("has", "lanes"),
    [
        ({"avx512f": True, "avx512vnni": True, "avxvnni": True}, 16),
        ({"avx512f": True, "avxvnni": True}, 8),
        ({"avx2": True}, 0),
    ],
)
def test_dot_products_are_as_wide_as_they_are(
    has: dict[str, bool], lanes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processor, "features", lambda: has)
    assert processor.lanes() == lanes
