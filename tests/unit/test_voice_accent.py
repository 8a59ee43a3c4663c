import numpy as np
import pytest

from realtime_avatar.voice.accent import accent
from realtime_avatar.voice.style_space import Pack

STOCK = {"af_one": 1.0, "bf_one": 3.0, "am_two": 10.0, "zf_one": 4.0, "zm_two": 30.0, "ef_one": 9.0}
STOCK["zf_xiaoni"] = 99.0  # hardly understood, and left out


def stock(name: str) -> Pack:
    return np.full((510, 1, 256), STOCK[name], np.float32)


@pytest.mark.parametrize(("own", "english", "chinese"), [(4.0, 2.0, 4.0), (9.0, 10.0, 30.0)])
def test_a_voice_has_some_of_the_sound_and_half_of_the_melody(
    own: float, english: float, chinese: float
) -> None:
    """Of Chinese women's voices if it is nearer to English women's, else of men's."""
    found = accent("zh", STOCK, stock)
    assert found is not None
    pack = np.full((510, 1, 256), own, np.float32)
    made = found.given(pack)
    assert (pack == own).all()
    np.testing.assert_allclose(made[..., :128], own + 0.4 * (chinese - english), rtol=1e-6)
    np.testing.assert_allclose(made[..., 128:], chinese + 0.5 * (own - english), rtol=1e-6)


def test_there_are_chinese_men_only() -> None:
    found = accent("zh", ["af_one", "am_two", "zm_two"], stock)
    assert found is not None
    assert found.given(stock("af_one"))[0, 0, 0] == pytest.approx(1 + 0.4 * 20)


def test_nothing_is_added_in_other_languages_or_without_chinese_voices() -> None:
    assert accent("en", STOCK, stock) is None
    assert accent("es", STOCK, stock) is None
    assert accent("zh", ["af_one", "am_two"], stock) is None
    assert accent("zh", ["zf_one", "am_two"], stock) is None
