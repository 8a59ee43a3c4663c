import numpy as np

from realtime_avatar.voice.accent import accent
from realtime_avatar.voice.style_space import Pack

STOCK = {"af_one": 1.0, "bm_two": 3.0, "zf_one": 4.0, "zm_two": 8.0, "ef_one": 9.0}
STOCK["zf_xiaoni"] = 99.0  # hardly understood, and left out


def stock(name: str) -> Pack:
    return np.full((510, 1, 256), STOCK[name], np.float32)


def test_chinese_has_what_its_voices_have_in_common_and_english_ones_have_not() -> None:
    added = accent("zh", STOCK, stock)
    assert added is not None
    assert added.shape == (510, 1, 256)
    np.testing.assert_allclose(added, 0.65 * (6 - 2), rtol=1e-6)


def test_nothing_is_added_in_other_languages_or_without_chinese_voices() -> None:
    assert accent("en", STOCK, stock) is None
    assert accent("es", STOCK, stock) is None
    assert accent("zh", ["af_one", "bm_two"], stock) is None
