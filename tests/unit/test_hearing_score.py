import pytest
from hypothesis import given
from hypothesis import strategies as some

from realtime_avatar.hearing.score import character_errors, distance, word_errors

WORDS = some.lists(some.sampled_from(["a", "b", "c"]), max_size=8)


@pytest.mark.parametrize(
    ("reference", "heard", "errors"),
    [
        ("He turned sharply, and faced Gregson.", "he turned sharply and faced gregson", 0),
        ("Ask not what", "ask what", 1),
        ("Ask what", "ask not what", 1),
        ("in the superlative degree", "in the separative degree", 1),
        ("faced Gregson", "faced gregs in", 2),
        ("It's twenty-one.", "It’s 21", 0),
        ("1,250 people", "one thousand two hundred and fifty people", 0),
        ("Half a per cent", "half a percent", 2),
        ("5% of it", "five percent of it", 0),
        ("three point five", "3.5", 0),
        ("Something was said", "", 3),
    ],
)
def test_words(reference: str, heard: str, errors: int) -> None:
    assert word_errors(reference, heard)[0] == errors


def test_words_of_the_reference_are_counted() -> None:
    assert word_errors("one two three", "four five six seven") == (4, 3)
    assert word_errors("", "") == (0, 0)


def test_numbers_and_units_may_be_written_in_two_ways() -> None:
    assert word_errors("El pingüino vivía aquí", "el pinguino vivia aqui", "es")[0] == 3
    assert word_errors("Tengo diez años", "Tengo diez anos", "es")[0] == 1
    assert word_errors("en el siglo XVI", "en el siglo dieciséis", "es")[0] == 0
    assert word_errors("en el siglo XVI", "en el siglo XIX", "es")[0] == 1
    assert word_errors("25 kilómetros de aquí", "25 km de aquí", "es")[0] == 0
    assert word_errors("It's 25 kilometers", "It's 25km")[0] == 0
    assert word_errors("trescientos mil kilómetros", "300.000 kilómetros", "es") == (0, 3)
    assert word_errors("300.000 kilómetros", "300 mil kilómetros", "es")[0] == 0
    assert word_errors("1.300.000 kilómetros", "1.200.000 kilómetros", "es")[0] == 1


def test_numbers_are_read_in_the_language() -> None:
    assert word_errors("veintidós años", "22 años", "es") == (0, 2)
    assert word_errors("veintidós años", "22 años", "en") == (2, 2)
    assert word_errors("cinco por ciento", "5%", "es") == (0, 3)
    assert word_errors("21 xyz", "21 xyz", "xx") == (0, 2)


@pytest.mark.parametrize(
    ("reference", "heard", "errors"),
    [
        ("今天天气很好。", "今天 天气很好", 0),
        ("今天天气很好", "今天天汽很好", 1),
        ("二〇二四年", "二零二四年", 0),
        ("一九八四年", "1984年", 0),
        ("我有二十一本书", "我有21本书", 0),
        ("十二", "12", 0),
        ("一百零五", "105", 0),
        ("三千", "3000", 0),
        ("一万零二十", "10,020", 0),
        ("十二万三千", "123000", 0),
        ("零", "0", 0),
        ("三点一四", "3.14", 0),
        ("百分之五十", "50%", 0),
        ("零零七", "007", 0),
        ("一三八零零零零零零零零", "13800000000", 0),
        ("我爱Python", "我爱 python", 0),
        ("語言", "语言", 1),
    ],
)
def test_characters(reference: str, heard: str, errors: int) -> None:
    assert character_errors(reference, heard)[0] == errors


def test_characters_of_the_reference_are_counted() -> None:
    assert character_errors("你好，世界！", "你好") == (2, 4)


@given(WORDS, WORDS, WORDS)
def test_distance_is_a_metric(one: list[str], two: list[str], three: list[str]) -> None:
    assert (distance(one, two) == 0) == (one == two)
    assert distance(one, two) == distance(two, one)
    assert distance(one, three) <= distance(one, two) + distance(two, three)
    assert abs(len(one) - len(two)) <= distance(one, two) <= max(len(one), len(two))
