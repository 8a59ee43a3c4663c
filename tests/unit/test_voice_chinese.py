import pytest

from realtime_avatar.voice.chinese import phonemiser, word_ends
from realtime_avatar.voice.clauses import Cutter, Pace

PACE = Pace(first=15, subject=12, hurry=27, later=30, growth=3, word_ends=word_ends)


@pytest.mark.parametrize(
    "words", ["世界 上 最高 的 山 是 珠穆朗玛峰", "法国 的 首都 是 巴黎", "今天 天气 很 好"]
)
def test_words_end_where_they_do(words: str) -> None:
    text, bounds, at = words.replace(" ", ""), list[int](), 0
    for word in words.split()[:-1]:
        at += len(word)
        bounds.append(at)
    found = [at for at in range(1, len(text)) if word_ends(text[:at], text[at])]
    assert set(found) <= set(bounds)
    assert len(found) >= len(bounds) - 2  # "很好" may be a word, and "山是" the beginning of one


def test_a_word_that_has_only_begun_does_not_end() -> None:
    assert not word_ends("这座山叫珠", "穆")
    assert word_ends("这座山叫珠穆朗玛峰", "高")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("因为蓝色是光的颜色，所以好看。", ["因为蓝色", "是光的颜色，所以好看。"]),
        ("天空之所以是蓝色的，不知道。", ["天空之所以是蓝色的，", "不知道。"]),
        ("医生下午3:30在214房间等您。", ["医生下午3:30在214房间等您。"]),
        ("我姐姐在河边的一家小医院当护士。", ["我姐姐在河边的一家小医院", "当护士。"]),
        ("我想买2个苹果和1,200克牛肉。", ["我想买2个苹果和1,200克牛肉。"]),
        ("水在标准大气压下的沸点是一百度。", ["水在标准大气压下的", "沸点是一百度。"]),
    ],
)
def test_the_first_clause_ends_where_one_would_breathe(text: str, expected: list[str]) -> None:
    cutter = Cutter(PACE)
    assert [clause.text for clause in cutter.feed(text) + cutter.finish()] == expected


@pytest.mark.parametrize(
    ("text", "word", "symbols"),
    [
        # Not in a dictionary as a word: what stands around it tells.
        ("长江是亚洲最长的河流。", "最长", "ʦwei↘ꭧʰa↗ŋ"),
        ("现在已经弹得非常流利。", "弹得", "tʰa↗ntɤ"),
        ("她唱得很慢。", "得", "tɤ"),
        # In a dictionary, which is believed: g2pM errs here.
        ("他把钥匙丢了。", "钥匙", "jau↘ʂɨ"),
        ("为了孩子。", "为了", "wei↘lɤ"),
        ("这里很便宜。", "便宜", "pʰjɛ↗ni"),
        # Neither: the tones of these are their neighbours'.
        ("再慢一点。", "一点", "i↘tjɛ↓n"),
        ("您不要迟到。", "不要", "pu↗jau↘"),
    ],
)
def test_a_character_of_several_readings_is_read_by_its_words(
    text: str, word: str, symbols: str
) -> None:
    assert (word, symbols) in {(said.text, said.symbols.strip()) for said in phonemiser()(text)}


def test_a_character_that_nobody_can_read_is_left_out() -> None:
    spoken = phonemiser()("\U00020bb7野家")
    assert "".join(word.text for word in spoken) == "\U00020bb7野家"
    assert "".join(word.symbols for word in spoken) == "".join(
        word.symbols for word in phonemiser()("野家")
    )
