import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_avatar.voice.markup import plain
from realtime_avatar.voice.normalise import readable, spoken


def said(text: str, language: str) -> str:
    return spoken(readable(text, language), language)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("**Bold** and *light* and ***both***", "Bold and light and both"),
        ("__Bold__ and _light_ but snake_case", "Bold and light but snake_case"),
        ("~~gone~~", "gone"),
        ("# A title", "A title"),
        ("> quoted", "quoted"),
        ("- an item\n* another\n+ third\n- [ ] a task", "an item\nanother\nthird\na task"),
        ("1. first", "1. first"),
        ("[words](https://a.com/b) and ![picture](x.png)", "words and picture"),
        ("[say](/sˈA/)", "say"),
        ("a fact[1][^2]", "a fact"),
        ("`print()` and `my_name`", "print and my name"),
        ("| a | b |", "a, b"),
        ("|---|---|", ""),
        ("---", ""),
        ("<b>bold</b> <break time='1s'/>", " bold   "),
        ("2 * 3 * 4 < 5", "2 * 3 * 4 < 5"),
        ("Hi 😀👍🏽🇪🇸 you ❤️", "Hi   you  "),
        ("<https://a.com>", "https://a.com"),
    ],
)
def test_marks_for_the_eye_are_not_read(written: str, expected: str):
    assert plain(written).split() == expected.split()


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("e.g. tea", "for example, tea"),
        ("i.e., now", "that is, now"),
        ("and so on, etc.", "and so on, et cetera."),
        ("No. 5", "number 5"),
        ("$3.50", "3 dollars and 50 cents"),
        ("$1.01", "1 dollar and 1 cent"),
        ("$0.99", "99 cents"),
        ("$1,250", "1250 dollars"),
        ("€20", "20 euros"),
        ("20 €", "20 euros"),
        ("£5m", "5 million pounds"),
        ("$2.5 billion", "2.5 billion dollars"),
        ("$20-30", "20 to 30 dollars"),
        ("¥300", "300 yen"),
        ("100m", "100 meters"),
        ("250 ml", "250 milliliters"),
        ("1.5M users", "1.5 million users"),
        ("10-20%", "10 to 20 percent"),
        ("24/7", "twenty-four seven"),
        ("version 2.0.1", "version 2 point 0 point 1"),
        ("~5", "about 5"),
        ("C# and AT&T", "C sharp and AT&T"),
        ("R&D", "R and D"),
        ("www.example.com", "example dot com"),
        ("https://example.com/docs/intro?q=1.", "example dot com slash docs slash intro."),
        ("john.doe@mail.org", "john dot doe at mail dot org"),
        ("bbc.co.uk!", "bbc dot co dot U K!"),
        ("run main.py", "run main dot P Y"),
        ("https://example.com/" + "a1b2c3" * 20, "example dot com"),
        ("end of sentence.Next", "end of sentence.Next"),
        ("Call +1 (555) 123-4567", "Call plus 1, 5 5 5, 1 2 3, 4 5 6 7"),
        ("0800", "0 8 0 0"),
        ("0.05", "0.05"),
        ("5'10\" tall", "5 foot 10 tall"),
        ("6' tall", "6 feet tall"),
        ("9:00-17:00", "9:00 to 17:00"),
        ("Mon.–Fri.", "Mon. to Fri."),
        ("100 m² and 5 km²", "100 square meters and 5 square kilometers"),
        ("2 1/2 cups", "2 and a half cups"),
        ("50/50", "fifty-fifty"),
        ("5 - 2 = 3", "5 minus 2 = 3"),
        ("10 / 2", "10 divided by 2"),
        ("2 x 3 or 2x3", "2 times 3 or 2 times 3"),
        ("1,5 and 1,234", "1, 5 and 1,234"),
        ("20 USD or GBP 5", "20 dollars or 5 pounds"),
    ],
)
def test_english_that_hibari_does_not_read(written: str, expected: str):
    assert said(written, "en") == expected


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("21 casas y 1 libro", "veintiuna casas y un libro"),
        ("21 libros", "veintiún libros"),
        ("200 personas y 500 euros", "doscientas personas y quinientos euros"),
        ("1 día, 31 problemas", "un día, treinta y un problemas"),
        ("tengo 1", "tengo uno"),
        ("1.250.000", "un millón doscientos cincuenta mil"),
        ("1,250 o 1.250", "mil doscientos cincuenta o mil doscientos cincuenta"),
        ("3,14 y 0.05", "tres coma catorce y cero coma cero cinco"),
        ("el 12,5 %", "el doce coma cinco por ciento"),
        ("3 de marzo de 2024", "tres de marzo de dos mil veinticuatro"),
        ("1 de mayo", "primero de mayo"),
        ("03/04/2024", "tres de abril de dos mil veinticuatro"),
        ("2024-03-05", "cinco de marzo de dos mil veinticuatro"),
        ("a las 10:30", "a las diez y media"),
        ("a la 1:15", "a la una y cuarto"),
        ("a las 15:45", "a las quince y cuarenta y cinco"),
        ("a las 21:00 h", "a las veintiuna horas"),
        ("a las 9 p. m.", "a las nueve de la noche"),
        ("a las 10:00 a. m.", "a las diez de la mañana"),
        ("20,50 €", "veinte euros con cincuenta céntimos"),
        ("$5 o £1", "cinco dólares o una libra"),
        ("2,5 millones de euros", "dos coma cinco millones de euros"),
        ("5 km a 120 km/h", "cinco kilómetros a ciento veinte kilómetros por hora"),
        ("-5 °C", "menos cinco grados"),
        ("1 h", "una hora"),
        ("el 2º piso, la 1.ª vez, el 1.er día", "el segundo piso, la primera vez, el primer día"),
        ("siglo XXI", "siglo veintiuno"),
        ("Felipe VI, Isabel II, Luis XIV", "Felipe sexto, Isabel segunda, Luis catorce"),
        ("Sr. Ruiz, Dra. Paz", "señor Ruiz, doctora Paz"),
        ("en EE. UU., p. ej.", "en Estados Unidos, por ejemplo"),
        ("1/2 y 3/4", "un medio y tres cuartos"),
        ("10-12 minutos", "diez a doce minutos"),
        ("USB, DNI e IA", "u ese be, de ene i e i a"),
        ("ONU, NASA, PIB", "ONU, NASA, PIB"),
        ("GPT-4", "ge pe te cuatro"),
        ("2 + 2 = 4", "dos más dos igual a cuatro"),
        ("ejemplo.es", "ejemplo punto es"),
        ("yo@correo.com", "yo arroba correo punto com"),
        ("versión 2.0.1", "versión dos punto cero punto uno"),
        ("007", "cero cero siete"),
        ("1/2 taza y 1/2 litro", "media taza y medio litro"),
        ("3/4 partes", "tres cuartas partes"),
        ("10 / 2", "diez entre dos"),
        ("2 x 3", "dos por tres"),
        ("21.000 casas", "veintiún mil casas"),
        ("31.000", "treinta y un mil"),
        (
            "101 dálmatas, 21 manos y 21 mujeres",
            "ciento un dálmatas, veintiuna manos y veintiuna mujeres",
        ),
        ("C# y/o C", "ce sharp y o C"),
        ("de 9:00-17:00", "de nueve a diecisiete"),
        ("20 USD o EUR 20", "veinte dólares o veinte euros"),
        ("a las 10:30 h", "a las diez y media"),
        ("a las 00:30", "a las doce y media de la noche"),
        ("la II Guerra Mundial y el I Congreso", "la segunda Guerra Mundial y el primer Congreso"),
        ("dos millones de £", "dos millones de libras"),
        ("Python 3.11", "Python tres punto once"),
        ("2.5 kg", "dos coma cinco kilos"),
    ],
)
def test_spanish(written: str, expected: str):
    assert said(written, "es") == expected


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("2024年3月5日", "二零二四年三月五日"),
        ("2024-03-05", "二零二四年三月五日"),
        ("2024/3/5", "二零二四年三月五日"),
        ("90年代", "九十年代"),
        ("3:30", "三点半"),
        ("10:05", "十点零五分"),
        ("12:00", "十二点整"),
        ("14:20:15", "十四点二十分十五秒"),
        ("比分是3:2", "比分是三比二"),
        ("12.5%", "百分之十二点五"),
        ("10%-20%", "百分之十到二十"),
        ("1,250,000人", "一百二十五万人"),
        ("2个、2000人、22000元", "两个、两千人、两万两千元"),
        ("2月2日", "二月二日"),
        ("第2名", "第二名"),
        ("$3.50", "三点五零美元"),
        ("￥20.5元", "二十点五元"),
        ("1.5亿", "一点五亿"),
        ("温度-5°C", "温度零下五度"),
        ("120km/h", "一百二十公里每小时"),
        ("重5kg", "重五公斤"),
        ("3/4", "四分之三"),
        ("5-10分钟", "五到十分钟"),
        ("-3", "负三"),
        ("13800138000", "幺三八零零幺三八零零零"),
        ("010-12345678", "零幺零幺二三四五六七八"),
        ("房间号302", "房间号三零二"),
        ("iPhone 15", "iPhone 十五"),
        ("GPT-4和5G", "GPT 四和五G"),
        ("２０２４年", "二零二四年"),
        ("2.0.1版", "二点零点一版"),
        ("a.com", "a 点 com"),
        ("1+1=2", "一加一等于二"),
        ("007", "零零七"),
        ("+86 138 0013 8000", "加八六，幺三八零零幺三八零零零"),
        ("10/2", "十除以二"),
        ("5-2=3", "五减二等于三"),
        ("100%", "百分之百"),
        ("我写C#和C++", "我写C井和C加加"),
        ("1949—1976年", "一九四九到一九七六年"),
        ("1000-2000元", "一千到两千元"),
        ("9:00-17:00", "九点整到十七点整"),
        ("3x4", "三乘以四"),
        ("20 USD和100RMB", "二十美元和一百元"),
    ],
)
def test_chinese(written: str, expected: str):
    assert said(written, "zh") == expected


SIGNS = "0123456789.,:/-%$€¥£ºª°kmhCGB+=#~×& aIVXpe年月日号个点"


@given(st.text(max_size=80) | st.text(SIGNS, max_size=60), st.sampled_from(["en", "es", "zh"]))
def test_any_text_can_be_normalised(text: str, language: str):
    result = said(text, language)
    if language != "en":
        assert not any(char in "0123456789" for char in result)
