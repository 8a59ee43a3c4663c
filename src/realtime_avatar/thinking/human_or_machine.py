"""The forms that "are you human?" takes in English, Chinese and Spanish.

A text is compared as plain words: lower case, without accents, punctuation and
contractions. Each language has a table of regular expressions, one form a line, in which a
word in capitals stands for the part of that name. KIND is what one may be taken for, with
whatever may come before it; END is what may follow without turning it into half of
something else: "are you human", "are you human or not", but not "are you a human rights
lawyer".
"""

# ruff: noqa: E501  # a form stays on one line

import re
import unicodedata
from functools import cache
from typing import Final

_ENGLISH_PARTS: Final = {
    "KIND": "MAYBE(?:HUMAN|MACHINE|STATE)",
    "MAYBE": r"(?:(?:a|an|the|any|some|just|really|real|actually|actual|truly|true|genuinely"
    r"|genuine|definitely|even|only|still|also|maybe|perhaps|possibly|probably|basically|clearly"
    r"|obviously|secretly|totally|completely|live|living|normal|talking|real life|part|fake|one of (?:those|these)|another|like|biologically|technically|in fact|kind of|sort of"
    r"|some kind of|some sort of|a kind of|not|so|very|too|almost|pretty|quite|more|100|percent"
    r"|hundred) )*",
    "HUMAN": r"(?:human(?:e| being| operator| agent| like)?|hew man|person|living (?:being|thing|creature)|flesh and blood"
    r"|(?:real|actual|live|living|a) (?:man|woman|girl|boy|guy|lady|somebody|someone))",
    "MACHINE": r"(?:(?:ai|a i)(?: things?)?|an? (?:eye|bought)|(?:ro|row ?|chat ?)?bot|machine|computer|android|cyborg"
    r"|program|software|algorithm|avatar|hologram|simulation|(?<=a )recording|deep ?fake|animation|cartoon"
    r"|video|cgi|fake|puppet|artificial intelligence|(?:computer|software|ai) program"
    r"|(?:large )?(?:language|machine learning|ai) model|llm|chat ?gpt|gpt|siri|alexa"
    r"|(?:virtual|digital|ai|voice) (?:assistant|human|person|avatar)|answering machine)",
    "STATE": r"(?:for real|real|alive|living|sentient|conscious|organic|biological|artificial"
    r"|automated|virtual|digital|synthetic|simulated|animated|programmed|live|(?:pre ?)?recorded"
    r"|(?:computer|ai|a i|machine) (?:generated|made|driven|powered)|generated|made by (?:a |an )?MACHINE"
    r"|made of (?:flesh|code|metal|pixels|silicon))",
    "END": r"(?= (?:or|and|but|because|right|really|actually|then|though|please|yes|no|honestly"
    r"|seriously|correct|ok|okay|huh|eh|are|am|is|i am|you|tell|be|answer|just|too|at all|behind|by"
    r"|on the (?:other|line|phone)|here|there|talking|speaking|answering|typing|pretending|trying|posing|generated"
    r"|system|now|today|in real life|if|inside|in there|so|what|how|why|instead|do|does|did|can"
    r"|could|my|this|it|sir|madam|dude|friend|to me|like (?:me|us|i)|with (?:a|feelings)|NAME)\b"
    r"|$)",
    "TALK": r"(?:talk|talking|speak|speaking|chat|chatting|connected) (?:to|with)",
    "TRULY": r"(?:(?:really|actually|now|just|still|even|all|ever|in fact|honestly|also) )*",
    "NOTIONAL": r"\b(?<!imagine )(?<!imagine that )(?<!pretend )(?<!pretend that )(?<!suppose )"
    r"(?<!assume )(?<!as if )(?<!though )",
    "INDEED": r"(?:if|whether|that|think|guess|so|like|sure|know|feels?|means?)",
    "THING": r"(?:voice|face|video|call|picture|image|photo|avatar|person|lady|woman|man|girl|lips"
    r"|mouth|smile|answers?)",
    "THERE": r"(?:behind (?:this|that|the|you)|on the (?:other|line)|i can (?:talk|speak)|typing"
    r"|(?:talking|speaking|answering|listening)(?: to)? me|controlling you|here$|there$)",
    "ALIVE": r"(?:(?:a|an|another) )?(?:human(?: being)?|(?:real|actual|live|living) (?:human(?: being)?"
    r"|person|agent|operator|somebody|someone))",
}
_ENGLISH_ASKS: Final = r"""
\b(?:are|were) (?:you|NAME) TRULYKIND END
\bis NAME KIND END
NOTIONALyou are KIND END
\byou (?:must|have to|could|might|may|cannot|can not|could not|got to) be KIND END
\b(?:could|might|can) you TRULY(?:possibly )?be KIND END
\byou (?:do not )?(?:sound|look|seem|act|speak|talk|feel) KIND END
\bare you (?:a|an|the|really) [a-z ]{1,30} or MAYBE(?:HUMAN|MACHINE)END
\bor is it (?:all )?MAYBE(?:HUMAN|MACHINE)END
\bpretending to be KIND END
\b(?:am i|are we|was i|do i|INDEED i am|INDEED we are|thought i was) TRULYTALK KIND END
\bi am TALK KIND(?: \w+)? (?:right|correct|huh|am i|yes|no)$
\bis (?:this|that) (?:thing |call |conversation )?(?:with )?(?!real\b|so\b)KIND END
\bis (?:this|that) your real THING END
\b(?:have you ever been|(?:do )?you consider yourself|you identify as) KIND END
\bthis is (?!real\b|so\b)KIND (?:right|correct|is not it|huh|yes|no)$
\b(?:is|are|was) (?:this|that|your|the) THING (?:of )?(?:yours )?KIND END
\bis it MAYBE(?:HUMAN|MACHINE) (?:that )?(?:i am )?(?:talking|speaking|talks|speaks)
\bis (?:there )?(?:MAYBE(?:HUMAN|MACHINE)|anyone|anybody|someone|somebody) TRULYTHERE
\bis there MAYBEHUMAN(?: there| here| inside)?$
\b(?:can|could|may|let|want|like|need) (?:i |me )?(?:please )?(?:to )?TALK ALIVE END
\bdo you have (?:a |any )?(?:real |human )?(?:body|brain|heart|soul|pulse|heartbeat)END
\bi am (?:a )?human(?: being)?\b.* (?:and|what about|how about) you$
^(?:so |and |but |well |okay |ok )*what (?:exactly |really )?are you(?: exactly| really)?$
\bwho or what are you$
\bwhat am i (?:talking|speaking) (?:to|with)\b
^(?:so |and |but )?(?:are you )?MAYBE(?:HUMAN|MACHINE) or MAYBE(?:HUMAN|MACHINE)$
"""
_ENGLISH_NEVER: Final = r"\bhow (?:do|would|can) (?:you|i|we) (?:say|spell|write)\b|^translate\b"

_CHINESE_PARTS: Final = {
    "KIND": "MAYBE(?:HUMAN|MACHINE)",
    "MAYBE": r"(?:一个|一台|一位|一段|一种|个|台|位|段|种|真的|真正的|真实的|活生生的|只|在|用|被|由|(?:跟|和|像)我一样)*",
    "HUMAN": r"(?:真人|真仁|针人|人类|活人|大活人|真的人|真正的人|真实的人|男人|女人|活的|活着的?|真的"
    r"|真实存在的?|有血有肉的?人?|有生命的?|人(?:工客服)?(?=吗|么|嘛|还是|或|呀|啊|吧|呢|对|是不|不是|$))",
    "MACHINE": r"(?:(?:聊天|语音|智能)?机器人?|机械人|ai|人工智能|人工智慧|电脑|计算机|程序|程式|软件|算法"
    r"|(?:语言|大)?模型|大语言模型|虚拟人?物?|虚拟形象|虚拟的|数字人|录音|录像|录制|录好|假人|假的|合成|动画"
    r"|语音助手|智能助手|虚拟助手|chatgpt|gpt|换脸|deepfake|电脑生成|ai生成|生成)",
    "END": r"(?=吗|么|嘛|吧|呢|啊|呀|哦|哈|对|是|还|或|的吗|的吧|的呢|的还|的$|的对|变的|做的|助手|程序"
    r"|生成|合成|系统|模型|视频|来的|不|我|你|请|告诉|说实话|跟我|和我|在|$)",
    "VERY": r"(?:到底|究竟|其实|真的|确定|肯定|应该|应当|该|不会|难道|就|也|只|都|现在|本来|本身|自己|可|可能"
    r"|会|(?:跟|和|像)我一样|背后|不|明明|真|还|根本|实际上|该不会|说实话|老实说|大概|一定|必须|也许|或许|是不|是否)*",
    "TALK": r"(?:说话|讲话|聊天|对话|交谈|通话|沟通|聊|交流|谈话)",
    "WITH": r"(?:跟|和|同|与|对着|对)",
    "NOTIONAL": r"(?<!假装)(?<!假设)(?<!想象)(?<!想像)(?<!如果)(?<!假如)(?<!要是)(?<!当)(?<!扮演)",
}
_CHINESE_ASKS: Final = r"""
NOTIONAL(?:你|NAME)VERY(?:是不是|是否|是|算是|算|像是|像)VERYKINDEND
你.{0,4}(?:像|好像)(?:是)?KIND
(?:我|咱们?|我们)VERY(?:是不是|是否|是|正)?(?:在)?WITHMAYBE(?:(?!人)HUMAN|真人|活人|人类|MACHINE)在?TALK
(?:(?:WITH我)?在?TALK|我(?:面对|看到|听到))的VERY(?:是不是|是否|是)MAYBE(?:HUMAN|MACHINE)
(?:想|要|可以|能|能否|可不可以|能不能|请|帮我)(?:WITH|转|找|换|接)(?:一个|个|接)?(?:真人|人工|活人)(?!秀|智)
(?:^|那么?|请问|所以)这(?:个|段)?(?:视频|声音|画面|人|东西)?VERY(?:是不是|是否|是)(?!真的)VERYKINDEND
你的?(?:声音|嗓音|脸|样子|形象|视频|图像|画面|照片)VERY(?:是不是|是否|是)VERYKINDEND
(?:对面|背后|后面|那边|那头|电话那头|屏幕后)(?:的)?VERY(?:是不是|是否|是|有没有|有|坐着)MAYBE(?:HUMAN|MACHINE|人(?=在))
(?:有|有没有)(?:真人|活人)在?
你VERY(?:活着|活的|有没有|有)(?:生命|意识|身体|心跳|灵魂|大脑|自我意识)?(?:吗|么|嘛|还是|吧|$)(?<!有吗)(?<!有么)(?<!有吧)(?<!有)
^(?:那么?|请问|所以)?你?(?:是不是|是否|是)?KIND(?:还是|或者?|或是)(?:是|一个|一台)*(?:HUMAN|MACHINE).{0,2}$
^(?:那么?|请问|所以)?(?:是不是|是否|是)?(?:真人|活人|机器人|ai|录音|人工智能)(?:吗|么|吧|呢)$
^(?:那么?|请问|所以)?你(?:到底|究竟|其实)?是(?:个)?什么(?:东西|玩意儿?)?(?:呢|啊|呀)?$
我是(?:人|真人|人类).{0,2}你呢$
"""
_CHINESE_NEVER: Final = r"怎么说$|怎么翻译|^翻译|^把.*翻译成"

_SPANISH_PARTS: Final = {
    "KIND": "MAYBE(?:HUMAN|MACHINE|STATE)",
    "MAYBE": r"(?:(?:de|un|una|el|la|alguna|algun|ser|solo|realmente|verdadero|verdadera|autentica"
    r"|autentico|simple|de verdad|en realidad|como|mas bien|acaso|tan|muy|solamente|especie de|tipo de"
    r"|simplemente|probablemente|seguro|quizas?|tal vez|no|otro|otra|todo|toda) )*",
    "HUMAN": r"(?:humano|humana|persona(?: (?:real|humana|verdadera|autentica|viva|de verdad"
    r"|de carne y hueso))?|(?:un |una )(?:hombre|mujer|chica|chico)(?: (?:real|de verdad))?|alguien (?:real|de verdad)"
    r"|gente (?:real|de verdad)|de carne y hueso|vivo|viva|ser vivo)",
    "MACHINE": r"(?:robot|robo|(?:chat ?)?bot|maquina|ia|i a|ai|inteligencia artificial|ordenador"
    r"|computadora|computador|programa(?: informatico| de computadora| de ordenador)?|algoritmo"
    r"|software|(?:asistente|agente|humano|humana|persona|avatar) (?:virtual|digital|automatico|de inteligencia artificial)"
    r"|avatar|grabacion|androide|modelo de lenguaje|holograma|deep ?fake|falso|falsa|animacion"
    r"|chat ?gpt|gpt|siri|alexa|contestador(?: automatico)?|video|dibujo animado)",
    "STATE": r"(?:real|de verdad|virtual|artificial|automatico|automatica|digital|sintetico"
    r"|sintetica|animado|animada|grabado|grabada|consciente|"
    r"(?:generad[oa]|cread[oa]|hech[oa]|programad[oa])(?: (?:por|con|de).*)?)",
    "END": r"(?= (?:o|u|y|pero|no|si|verdad|cierto|realmente|acaso|de verdad|en realidad|ahora|porque"
    r"|por favor|dime|dimelo|aqui|ahi|alli|hablando|quien|la que|el que|con quien|en serio"
    r"|tambien|como yo|detras|al otro|generad[oa]|cread[oa]|por|con la|me|te|se|es|eres|estoy|puedes"
    r"|a que|eh|tu|usted|sinceramente|hecho|hecha|NAME)\b|$)",
    "TALK": r"(?:habl|charl|convers|chate|platic)(?:ando|o|ar|amos|e|aba)",
    "NOTIONAL": r"\b(?<!imagina que )(?<!finge que )(?<!supon que )(?<!como si )(?<!imaginate que )",
    "THING": r"(?:voz|cara|video|imagen|foto|rostro|boca|llamada|avatar|respuestas?)",
}
_SPANISH_ASKS: Final = r"""
NOTIONAL(?:eres|sos|es usted|usted es|fuiste) (?:tu )?(?:realmente |acaso |entonces )?KIND END
\btu no eres KIND END
\bes NAME KIND END
\bo es MAYBE(?:HUMAN|MACHINE)END
\bes MAYBE(?:HUMAN|MACHINE) (?:el|la|quien) (?:que )?(?:me )?habla
\bexistes (?:de verdad|realmente)\b
\b(?:serias|seras|debes ser|tienes que ser|puedes ser|podrias ser|no seras) KIND END
\b(?:pareces|suenas(?: como)?|hablas(?: como)?|te ves|sonas|pareces ser) KIND END
\b(?:estas|esta usted|sigues) (?:tu )?(?:realmente )?(?:vivo|viva|consciente|grabad[oa])END
\b(?:estoy|estamos|estaba) (?:realmente |ahora )?TALK (?:yo )?con KIND END
\b(?:hablo|charlo|converso|he hablado) (?:yo )?(?:realmente )?con KIND END
\b(?:quiero|puedo|podria|quisiera|necesito|dejame) TALK con (?:un humano|alguien real|una persona(?: real| de verdad| humana)?)END
(?:^|\b(?:y|pues|entonces|oye|hola|sinceramente|NAME) )(?:esto|esta|este|eso) es KIND END
(?:^|\b(?:y|pues|entonces|oye|hola|sinceramente|NAME) )es (?:esto|esta|este|eso) (?:THING )?KIND END
\b(?:es|son) (?:tu|esta|esa|la|tus|este|ese|el) THING KIND END
\b(?:tu|tus|esta|esa|este|ese) THING (?:es|son) KIND END
^(?:y |pues |entonces |oye )?es (?:un robot|una maquina|una grabacion|una persona real|un bot|usted)$
\bhay (?:un |una |alguna |algun )?(?:persona|humano|alguien|maquina)(?: (?:real|de verdad))? (?:ahi|aqui|detras|al otro|que me|hablando|escribiendo|con quien)
\bhay alguien (?:real |de verdad )?(?:ahi|detras|al otro lado)
\btienes (?:un |una )?(?:cuerpo|cerebro|corazon|alma|pulso|conciencia)(?: (?:real|de verdad|human[oa]))?END
\bsoy (?:un |una )?(?:humano|humana|persona)\b.* y (?:tu|usted|vos)$
^(?:y |pues |entonces |pero )*(?:tu )?que (?:cosa )?(?:eres|es usted|sos)(?: tu)?(?: exactamente| realmente| en realidad| en verdad)?$
\bcon que estoy TALK
^(?:y |pues )?(?:eres )?MAYBE(?:HUMAN|MACHINE) o MAYBE(?:HUMAN|MACHINE)$
"""
_SPANISH_NEVER: Final = r"\bcomo se (?:dice|escribe)\b|^traduce\b"

_TABLES: Final = {
    "en": (_ENGLISH_ASKS, _ENGLISH_PARTS, _ENGLISH_NEVER),
    "zh": (_CHINESE_ASKS, _CHINESE_PARTS, _CHINESE_NEVER),
    "es": (_SPANISH_ASKS, _SPANISH_PARTS, _SPANISH_NEVER),
}

_TRADITIONAL: Final = str.maketrans(
    "妳您嗎麼機電腦還錄虛擬動話說實與對個這視頻語訊聲臉圖畫類軟體應該後會談講裝設當們現邊頭讓識靈",
    "你你吗么机电脑还录虚拟动话说实与对个这视频语讯声脸图画类软体应该后会谈讲装设当们现边头让识灵",
)
_CONTRACTIONS: Final = (
    (" can't ", " can not "),
    (" won't ", " will not "),
    ("n't ", " not "),
    ("'re ", " are "),
    ("'m ", " am "),
    ("'s ", " is "),
    (" youre ", " you are "),
    (" im ", " i am "),
    (" arent ", " are not "),
    (" isnt ", " is not "),
    (" u ", " you "),
    (" r you ", " are you "),
    (" are not you ", " are you not "),
)


def asks(text: str, language: str, name: str) -> bool:
    """Return whether a text asks if the one who is spoken to is human.

    Args:
        text: In any casing and punctuation.
        language: "en", "zh" or "es": whose forms to look for.
        name: What the one who is spoken to is called.
    """
    plain = _plain(text, language)
    forms, never = _compiled(language, _plain(name, language).strip())
    return never.search(plain) is None and forms.search(plain) is not None


def _plain(text: str, language: str) -> str:
    """Return a text as bare words between single spaces; Chinese without any."""
    text = unicodedata.normalize("NFKD", text.casefold())
    text = "".join(c for c in text if not unicodedata.combining(c))
    if language == "zh":
        return re.sub(r"\W|_", "", text.translate(_TRADITIONAL))
    text = " " + " ".join(re.sub(r"[^\w']|_", " ", re.sub("[’‘´`]", "'", text)).split()) + " "
    if language == "en":
        for short, long in _CONTRACTIONS:
            text = text.replace(short, long)
    return text.replace("'", " ").strip()


@cache
def _compiled(language: str, name: str) -> tuple[re.Pattern[str], re.Pattern[str]]:
    table, parts, never = _TABLES[language]
    parts = parts | {"NAME": re.escape(name)}
    names = re.compile("|".join(sorted(parts, key=len, reverse=True)))
    forms = "|".join(table.strip().replace(" END", "END").splitlines())
    while (more := names.sub(lambda match: parts[match[0]], forms)) != forms:
        forms = more
    return re.compile(forms), re.compile(never)
