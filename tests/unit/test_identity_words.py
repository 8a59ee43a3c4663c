import pytest

from realtime_avatar.identity.words import excerpt, phrases, words


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Está lloviendo, ¿no?", ["esta", "lloviendo", "no"]),
        ("今天 weather 怎么样？", ["今", "天", "weather", "怎", "么", "样"]),
        ("It's 25 km — snake_case", ["it", "s", "25", "km", "snake", "case"]),
        ("한국어", ["한국어"]),
        ("STRASSE straße", ["strasse", "strasse"]),
        ("…!?", []),
        ("", []),
    ],
)
def test_words_are_the_same_in_every_spelling(text: str, found: list[str]) -> None:
    assert words(text) == found


def test_a_query_is_phrases() -> None:
    assert phrases('rain "don\'t stop" 下雨') == [["rain"], ["don", "t"], ["stop"], ["下", "雨"]]
    assert phrases(" ** ") == []


def test_an_excerpt_shows_what_was_found() -> None:
    text = "A long time ago " * 20 + "it rained in Málaga " + "for many days " * 20
    found = excerpt(text, "nothing malag")
    assert "Málaga" in found
    assert found.startswith("…")
    assert found.endswith("…")
    assert len(found) < 130
    assert excerpt("Short.", "absent") == "Short."
