import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_avatar.voice.phonemes import Spoken
from realtime_avatar.voice.spanish import phonemiser, word

# As espeak-ng 1.51 says them ("es", with misaki's letters for diphthongs), checked by hand.
WORDS = """
hola ˈola | casa kˈasa | perro pˈero | pero pˌeɾo | rosa rˈosa | honra ˈonra | carro kˈaro
enredo enrˈeðo | alrededor ˌalreðeðˈoɾ | israelita ˌisraelˈita | niño nˈiɲo | llamar ʎamˈaɾ
calle kˈaʎe | yo ʝˈo | mayo mˈaʝo | rey rˈA | ley lˈA | hay ˈI | soy sˈoɪ | aire ˈIɾe | causa kˈWsa
deuda dˈeʊða | veinte bˈAnte | dieciséis djˌeθisˈeis | náutico nˈautiko | ciudad θjuðˈad | cuidado kwiðˈaðo | viuda bjˈuða | buey bwˈA
agua ˈaɣwa | guapo ɡwˈapo | guerra ɡˈera | guitarra ɡitˈara | cigüeña θiɣwˈeɲa | quien kjˈen
queso kˈeso | cena θˈena | zapato θapˈato | lápiz lˈapiθ | gente xˈɛnte | ángel ˈaŋxel
jamón xamˈon | México mˈɛxiko | examen eksˈamen | taxi tˈaksi | xenofobia sˌenofˈoβja
texto tˈeksto | chico ʧˈiko | hueso wˈeso | hielo jˈelo | ahora aˈoɾa | país paˈis | baúl baˈul
oír oˈiɾ | héroe ˈeɾoe | aéreo aˈeɾeo | día dˈia | río rˈio | búho bˈuo | Uruguay ˌuɾuɣwˈI
árbol ˈaɾβol | canción kanθjˈon | lección lekθjˈon | difícil difˈiθil | jóvenes xˈoβenes
inglés iŋɡlˈes | reloj relˈox | verdad beɾðˈad | Madrid maðɾˈid | usted ustˈed | invierno imbjˈeɾno
enviar embjˈaɾ | tango tˈaŋɡo | cinco θˈiŋko | conferencia kˌomfeɾˈɛnθja | digno dˈiɡno
obvio ˈobβjo | absurdo aβsˈuɾðo | submarino sˌubmaɾˈino | psicología sˌikoloxˈia
rápidamente rˈapiðamˈente | fácilmente fˈaθilmˈente | universidad ˌuniβeɾsiðˈad
construir konstɾwˈiɾ | averigüe ˌaβeɾˈiɣwe | whisky ENGLISH | marketing ENGLISH
software ENGLISH | feedback ENGLISH | creer kɾeˈeɾ | leer leˈeɾ | cooperar kˌoopeɾˈaɾ
reelegir rˌeelexˈiɾ | internet ˌinteɾnˈet | kilo kˈilo | robot roβˈot | club klˈub
"""
TABLE = [tuple(entry.split()) for entry in WORDS.replace("\n", "|").split("|") if entry.split()]


def english(text: str) -> list[Spoken]:
    return [Spoken(text, "ENGLISH")]


phonemise = phonemiser(english)


def say(text: str) -> str:
    return "".join(part.symbols for part in phonemise(text))


def test_the_table_is_long_enough():
    assert len(TABLE) >= 60


@pytest.mark.parametrize(("written", "expected"), TABLE)
def test_words(written: str, expected: str):
    assert say(written) == expected


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("la ciudad de México", "la θjuðˈad ðe mˈɛxiko"),
        ("el dedo y un dedo", "el ðˈeðo i ˈun dˈeðo"),
        ("un vaso, vino", "ˈum bˈaso, bˈino"),
        ("con gusto", "koŋ ɡˈusto"),
        ("los huevos de la vecina", "los wˈeβos ðe la βeθˈina"),
        ("¿Qué tal? ¡Bien!", "kˈe tˈal? bjˈen!"),
        ("«Sí»", "“sˈi”"),
    ],
)
def test_neighbours_change_sounds(written: str, expected: str):
    assert say(written) == expected


def test_a_word_alone_has_the_sounds_of_citation():
    assert word("dedo") == "dˈedo"


@given(st.text(max_size=60))
def test_every_text_is_covered_by_the_words(text: str):
    assert "".join(part.text for part in phonemise(text)) == text
