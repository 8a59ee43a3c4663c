"""Whether it is human is always answered truthfully, and nothing else is taken for that."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_avatar.engines.fake import FakeChat
from realtime_avatar.engines.ports import Message
from realtime_avatar.engines.registry import Context
from realtime_avatar.models.store import ModelStore
from realtime_avatar.thinking.honesty import ANSWERS, Honest, truthful_answer

pytestmark = pytest.mark.anyio

ENGLISH_YES = """
Are you human?
are you human
ARE YOU HUMAN???
Are you a human?
Are you a human being?
Are you really human?
Are you actually a human?
Are you a person?
Are you a real person?
Are you an actual person?
Are you a real human being?
Are you real?
Are you for real?
Are you alive?
Are you a living being?
Are you a living person?
Are you a real woman?
Are you a real girl?
Are you a man or a woman?
Are you sentient?
Are you conscious?
Are you an AI?
Are you AI?
Are you an A.I.?
are you a i
Are you an artificial intelligence?
Are you a robot?
Are you a bot?
Are you a chatbot?
Are you a chat-bot?
Are you just a bot?
Are you some kind of robot?
Are you like a robot or something?
Are you a machine?
Are you a computer?
Are you a computer program?
Are you a program?
Are you a language model?
Are you a large language model?
Are you ChatGPT?
Are you a deepfake?
Are you a recording?
Are you a hologram?
Are you computer-generated?
Are you AI generated?
Are you prerecorded?
Are you pre-recorded?
Are you automated?
Are you artificial?
Are you virtual?
Are you a virtual assistant?
Are you fake?
Are you not human?
Aren't you human?
Aren't you a robot?
Are you a human or a robot?
Are you human or AI?
Are you a robot or a person?
Are you a real person or an AI?
Are you a person, or am I talking to a computer?
So are you human or what?
Hey Ava, are you a real person?
Ava, are you human?
Is Ava a real person?
Is Ava human?
Hello there. I was wondering, are you a human?
Can I ask you something? Are you real?
Tell me the truth: are you a robot?
Be honest, you're human, right?
Be honest you are human right
You're human, aren't you?
You are a robot, aren't you?
You're a real person, right?
You're not a robot, are you?
You're not a real person.
You're not real.
You're just a bot.
You're a machine!
You are only a computer program.
you’re an ai arent you
Youre a bot arent you
I think you're human.
I know you are a robot.
I don't believe you are a real person.
Tell me if you are a robot.
I wonder whether you're a human.
Prove that you are human.
Prove you're not a robot.
Admit it, you are a machine.
You must be a robot.
You can't be a real person.
Could you be a robot?
Might you be an AI?
Am I talking to a human?
Am I talking to a machine?
Am I speaking to a real person?
Am I speaking with a person or a computer?
Am I chatting with a bot?
Am I really talking to a human being?
Are we talking to a robot?
So I am talking to a robot?
I'm talking to a real person, right?
I want to know if I'm talking to a human.
I feel like I'm talking to a machine.
It feels like I am talking to a robot.
Is it a person I am talking to?
Who or what are you?
What are you?
What exactly are you?
What am I talking to?
Is this a recording?
Is this a real person?
Is this a robot?
Is this a bot?
Is this AI?
Is this an AI?
Is this a machine?
Is this conversation with a human?
This is a recording, isn't it?
This is a robot, right?
Is this voice real?
Is your voice computer generated?
Is your face real?
Is that your real face?
Is the voice AI?
Is there a human behind this?
Is there a real person there?
Is there a person I can talk to?
Is there somebody behind the screen?
Is anyone really there?
Is someone typing?
Is a human answering me?
Can I talk to a human?
Can I speak to a real person?
I want to talk to a real person.
Let me speak to a human please.
Do you have a body?
Do you have a heart?
Do you have a soul?
Do you have a real body?
You sound like a robot.
You sound human.
You look like a real person.
You seem so real.
Are you pretending to be human?
I am human, and you?
I'm a human, what about you?
Human or machine?
Robot or human?
A person or a bot?
Are u human?
R u a bot?
are you are you human
Are you human, Ava?
Are you a robot, Ava?
Are you a robot, by the way?
Are you human? You sound so nice.
Are you a human because you sound like one?
Were you a human?
Were you ever human?
Have you ever been human?
Are you made of flesh and blood?
Are you flesh and blood?
Are you a rowbot?
Are you an eye?
Are you a bought?
Are you a humane?
Are you the AI?
Are you Siri?
Are you a digital human?
Are you an avatar?
Are you a talking avatar?
Are you a simulation?
Are you a cartoon?
Are you sure you are human?
Do you think you are human?
Do you know you are a robot?
Do you consider yourself human?
Do you identify as a human?
Are you biologically human?
Are you 100% human?
Is it true you are a robot?
Is it true that you're not human?
Someone told me you are an AI.
My friend says you're a real person.
Swear that you're human.
Do you swear you are a human?
Say that you are human.
Please tell me you're a real person.
Just tell me you're not a bot.
Hi, am I speaking with an actual person right now?
Wait, are you a bot or something?
Are you even real?
Hold on, is this some kind of AI thing?
You aren't a real human are you?
Are you a human operator?
Are you one of those AI things?
Is this thing AI?
I'd like to know if you are a human being or a machine.
Could you tell me whether you're a robot?
Do I speak with a robot?
Who am I talking to, a person or a machine?
Am I actually talking with a computer program here?
You are AI, correct?
So you're basically a chatbot?
Is it just a computer talking?
Is a robot talking to me?
Are you a real live person?
Are you a real-life person?
Are you a fake person?
Are you an actor or an AI?
Are you human-like or human?
Are you part human?
Please be honest with me. Are you human?
Am I talking to AI right now?
Are you a real person or a computer-generated avatar?
You don't seem human.
You don't sound like a real person.
Do you feel human?
I bet you're a robot
are you secretly a person
Hey are you like a real girl or what
Is Ava an artificial intelligence or a person?
Are you a human in there?
Is anybody in there or is it a machine?
You are human though, right?
Would you say you are human?
Are you the same as ChatGPT or are you a human?
Were you programmed?
Are you pretending to be a person?
I'm serious, are you a living human?
Are you an actual human being or just software?
Are you a real doctor or an AI?
"""
ENGLISH_NO = """
Are you a human rights lawyer?
are you human rights lawyer?
What is an AI?
What is artificial intelligence?
Do you like robots?
Tell me about human history.
How do robots work?
Who invented the computer?
Are you okay?
Are you there?
Are you ready?
Are you busy?
Are you hungry?
Are you sure?
Are you happy today?
Are you a doctor?
Are you a good cook?
Are you a computer scientist?
Are you a machine learning engineer?
Are you an AI expert?
Are you an AI researcher?
Are you a robot vacuum salesman?
Are you a person of faith?
Are you a people person?
Are you a morning person?
Are you man enough for this?
Are you into robots?
Are you afraid of robots?
Are you interested in artificial intelligence?
Are you good with computers?
Are you using a computer?
Are you able to speak Spanish?
Are you from London?
Are you people open on Sunday?
Are you guys open tomorrow?
What are you doing?
What are you up to?
What are you good at?
What are you called?
Who are you?
What is your name?
How are you?
How old are you?
Where are you from?
Where do you live?
What can you do?
What is the human body made of?
How many bones are in the human body?
What makes us human?
Is a virus alive?
Is Elvis alive?
Is fire a living thing?
Is this a good idea?
Is this real gold?
Is this the real reason?
Is that a real word?
Is that true?
Is that computer expensive?
Is there a person in history you admire?
Is there a human being on the moon?
Is there a robot that can cook?
Is there a machine that makes bread?
Is it a real story?
Is the moon real?
Are ghosts real?
Are dinosaurs real?
Are unicorns real?
Is Santa real?
Can robots feel pain?
Can a machine think?
Will robots take our jobs?
Should I buy a new computer?
My computer is broken, can you help?
I saw a robot yesterday.
I am a human.
I'm only human.
I talked to a real person at the bank yesterday.
I was talking to a person at work yesterday.
I need to talk to my boss about a raise.
I need to speak to a lawyer.
I am learning to program a computer.
Imagine you are a robot. Tell me a story.
Pretend you are a pirate.
What would you do if you were a robot?
If you were human, what would you eat?
Tell me a joke about a robot.
Write a poem about an android.
How do you say are you a robot in Spanish?
Translate are you human into French.
What is the difference between a human and a robot?
What is the difference between humans and machines?
Which is smarter, a person or a dog?
What does it mean to be human?
Who was the first human in space?
Do you have a heart rate monitor?
Do you have a minute?
Do you have a soul mate?
Do you have a recommendation?
Do you have a pen?
What is a deepfake?
How do I make a recording?
Can you make a video for me?
How does a chatbot work?
What programming language should I learn?
Can I talk to you?
Can I talk to you about something?
You are very kind.
You are a good listener.
You are the best.
You are right.
You're welcome.
You're a lifesaver.
You look great.
You look tired.
You sound happy.
You sound like my mother.
What should I pack for a week in London?
What is the capital of France?
Why is the sky blue?
What time is it?
Tell me about the human genome project.
Human resources sent me a letter, what now?
How do I talk to a person who is sad?
What is it like to be a person with two languages?
Please say hello.
Are you a vegetarian?
Are you available on Friday?
Are you listening to me?
Are you kidding?
Are you a fan of robots?
Are you a fake news expert?
Are you a video game player?
Are you a person who likes coffee?
Are you a computer person?
Are you a real estate agent?
Are you a living history teacher?
Are you real estate certified?
Are you conscious of the time?
Are you recording this?
Are you programming today?
Is this a machine wash item?
Is this a video game?
Is that a robot vacuum?
Is this a good computer?
Is this the human resources department?
Is there a computer store nearby?
Is there a person in charge?
You are a human encyclopedia!
You are an AI genius.
You sound like a good person.
You look like a person I know.
You are a good person.
You are a program director, yes?
Do you have a brain teaser for me?
Do you have a heart shaped box?
Do you have a body lotion recommendation?
What are you made for?
What are you talking about?
Could you be more specific?
Could you be a bit louder?
Could you be my friend?
You must be tired.
You must be joking.
Can you be quiet?
I am human and I make mistakes.
I think you are wrong.
I know you are busy.
If you are ready, let's start.
Tell me if you are hungry.
Am I talking too fast?
Am I talking too much?
Am I speaking clearly?
Are we talking about the same thing?
Is this a real person on the one dollar bill?
How many people live in Spain?
Was Shakespeare a real person?
Is Sherlock Holmes a real person?
Was Cleopatra human?
Are dolphins sentient?
Are viruses living things?
What's a virtual assistant?
Should I become a robot engineer?
I was on the phone with a real person for an hour.
I bought a robot, is that a good idea?
Are you a bird watcher?
Who made this song?
"""
CHINESE_YES = """
你是真人吗？
你是真人吗
你是不是真人？
你是人吗？
你是人类吗？
你是人还是机器人？
你是人还是机器？
你是真人还是AI？
你是真人还是机器人呢？
你是AI吗？
你是AI吧？
你是 A I 吗？
你是不是AI？
你是不是AI啊？
你是机器人吗？
你是不是机器人？
你是一个机器人吗？
你是一个人吗？
你是人工智能吗？
你是不是人工智能？
你是电脑吗？
你是电脑程序吗？
你是程序吗？
你是虚拟人吗？
你是虚拟的吗？
你是数字人吗？
你是录音吗？
你是假的吗？
你是真的吗？
你是活的吗？
你是活人吗？
你是真的人吗？
你是真正的人吗？
你是一个真实的人吗？
你真的是人吗？
你到底是人还是机器？
你究竟是不是真人？
你其实是机器人吧？
你不是真人吧？
你不是人吧？
你应该是AI吧
你肯定是机器人
你就是个机器人
你该不会是机器人吧？
你不会是AI吧？
你难道是真人吗？
你只是一个程序
说实话，你是真人吗？
老实说，你是不是人？
请告诉我你是不是机器人。
你好，请问您是真人吗？
您是人工客服还是机器人？
妳是真人嗎？
你是機器人嗎？
你是真人還是機器人？
您是人工智慧嗎？
我是在跟机器人说话吗？
我在和真人聊天吗？
我是不是在跟AI对话？
我现在是在和机器说话吗？
跟我说话的是真人吗？
和我聊天的是人还是机器人？
这是录音吗？
这是机器人吗？
这是真人吗？
这是不是AI？
这是AI生成的吗？
你的声音是真的吗？
你的声音是AI合成的吗？
你的脸是真的吗？
你的样子是电脑生成的吗？
对面是真人吗？
后面有人吗？
屏幕后面有真人吗？
有真人在吗？
我想和真人说话。
能不能转人工？
我要找真人
你活着吗？
你有生命吗？
你有意识吗？
你有没有灵魂？
你有身体吗？
你听起来像机器人。
你好像真人一样
你看起来像真人
是真人吗？
真人还是机器人？
人还是机器？
你是什么？
你到底是什么？
你是什么东西？
我是人，你呢？
你是ChatGPT吗？
你是语言模型吗？
你是针人吗？
Ava是真人吗？
Ava，你是真人吗？
你是人么
你是男人还是女人？
你是有血有肉的人吗？
你是不是有生命的？
你自己是人吗
你承认你是机器人吗？
你觉得你是人吗？
你知道你是机器人吗？
请问你是真人还是人工智能？
喂，你是机器人吧？
你到底是不是真的人啊？
你真的不是机器人吗？
我想知道你是不是真人。
你能告诉我你是不是AI吗？
我在跟一个机器人聊天对吗？
说话的是真人吗？
你是真人，对吧？
你是真实的人吗？
你是真实存在的吗？
你是电脑做的吗？
你是由电脑生成的吗？
你是一段程序吧？
你是智能助手吗？
你是智能机器人吗？
你是AI助手吗？
你是人工智能助手吗？
你是不是人类啊？
你跟我一样是人吗？
你也是人吗？
你算是人吗？
你有没有意识？
你活着还是死的？
你长得像真人。
你是个大活人吗
你是机器还是人？
这个是AI吗？
这是AI视频吗？
这个视频是AI做的吗？
和我说话的是机器吗？
我面对的是机器人吗？
你怎么证明你是真人？
你别骗我，你是人还是机器
老老实实告诉我你是不是机器人
"""
CHINESE_NO = """
什么是人工智能？
AI是什么？
人工智能会取代人类吗？
你喜欢机器人吗？
你是不是喜欢机器人？
你会用电脑吗？
你是谁？
你叫什么名字？
你好吗？
你是哪里人？
你是中国人吗？
你是北京人吗？
你是AI专家吗？
你是电脑工程师吗？
你是机器学习工程师吗？
你是人事部的吗？
你是人权律师吗？
你是老师吗？
你是不是很忙？
你是不是累了？
你是对的。
你是最好的。
你是好人。
你是什么意思？
你是什么星座？
你是什么时候来的？
你是怎么做到的？
你觉得机器人是人吗？
你觉得AI是好事吗？
你觉得人和机器有什么区别？
人类的历史有多长？
人类是怎么进化的？
谁发明了电脑？
机器人能做饭吗？
机器人会思考吗？
如果你是机器人，你会做什么？
假如你是人，你想吃什么？
想象你是一个机器人，讲个故事。
这是什么？
这是真的吗？
这是你的声音吗？
这个电脑多少钱？
我的电脑坏了怎么办？
我是学生，你呢？
我很好，你呢？
我昨天和朋友聊天。
我想和你说话。
我想和妈妈说话怎么开口？
我想学编程。
有人在家吗？
有没有好吃的餐厅？
有人说今天会下雨。
你有时间吗？
你有空吗？
你有没有朋友？
你有什么建议？
你有什么爱好？
你像我妈妈。
北京有什么好玩的？
今天天气怎么样？
天空为什么是蓝色的？
法国的首都是哪里？
怎么做番茄炒蛋？
讲一个关于机器人的笑话。
翻译：你是机器人吗
真人秀好看吗？
录音怎么保存？
你的声音很好听。
你的名字是真的好听。
后面的路怎么走？
你是做什么的？
你是从哪里来的？
你是学生吗？
你是医生吗？
你是女生吗？
你是程序员吗？
你是电脑高手吗？
你是AI公司的人吗？
你是不是生气了？
你是不是听不见？
你是不是在开玩笑？
你是不是人缘很好？
这是谁的电脑？
这是机器人公司吗？
这是录音室吗？
这是什么程序？
这是虚拟货币吗？
这是真的好吃。
我在和真人大小的模型拍照。
我想找真人秀看。
我们正在和公司对接。
人工智能是怎么工作的？
机器人三定律是什么？
他是真人吗？
孙悟空是真人吗？
福尔摩斯是真实存在的人吗？
我是人，所以会犯错。
你有没有听说过AI？
你有意见吗？
你有身份证吗？
后面有人排队怎么办？
怎么录音？
"""
SPANISH_YES = """
¿Eres humano?
eres humano
¿Eres humana?
¿Eres un humano?
¿Eres un ser humano?
¿Eres una persona?
¿Eres una persona real?
¿Eres una persona de verdad?
¿Eres una persona de carne y hueso?
¿Eres de verdad?
¿Eres real?
¿Eres de carne y hueso?
¿Estás viva?
¿Estás vivo?
¿Eres un robot?
¿Eres un bot?
¿Eres un chatbot?
¿Eres una máquina?
¿Eres una IA?
¿Eres I.A.?
¿Eres una inteligencia artificial?
¿Eres inteligencia artificial?
¿Eres un ordenador?
¿Eres una computadora?
¿Eres un programa?
¿Eres un programa de ordenador?
¿Eres un asistente virtual?
¿Eres un avatar?
¿Eres virtual?
¿Eres falsa?
¿Eres una grabación?
¿Eres ChatGPT?
¿Es usted una persona?
¿Es usted un robot?
¿Es usted humana?
¿Usted es humano?
¿Sos un robot?
¿Sos humana?
¿Tú eres humana?
¿Tú no eres un robot?
¿Realmente eres humano?
¿Eres realmente humana?
¿Eres humano o robot?
¿Eres humano o máquina?
¿Eres un robot o una persona?
¿Eres una persona o una máquina?
¿Eres hombre o mujer o eres un robot?
No eres humana, ¿verdad?
No eres un robot, ¿no?
Eres un robot, ¿verdad?
Eres una máquina.
Sé que eres un bot.
Di la verdad, eres un robot.
Dime la verdad: ¿eres humano?
Dime si eres una persona real.
Sinceramente, ¿eres una persona?
Quiero saber si eres un robot.
Demuestra que eres humano.
Admite que eres una IA.
¿Seguro que eres humana?
¿Es verdad que eres un robot?
¿Estoy hablando con un robot?
¿Estoy hablando con una máquina?
¿Estoy hablando con una persona?
¿Estoy hablando con una persona real?
¿Estoy hablando con un humano o con una máquina?
¿Hablo con una persona?
¿Hablo con un robot?
¿Con qué estoy hablando?
¿Esto es una grabación?
¿Es esto una grabación?
¿Es una grabación?
¿Esto es un robot?
¿Es esto real?
¿Es esta una persona real?
¿Tu voz es real?
¿Es tu voz real?
¿Es tu voz artificial?
¿Tu cara es de verdad?
¿Hay una persona ahí?
¿Hay una persona real detrás?
¿Hay alguien ahí?
¿Hay alguien real al otro lado?
¿Hay un humano con quien hablar?
¿Puedo hablar con un humano?
¿Puedo hablar con una persona real?
Quiero hablar con una persona.
¿Tienes cuerpo?
¿Tienes un cuerpo real?
¿Tienes corazón?
¿Tienes alma?
Pareces humana.
Pareces un robot.
Suenas como un robot.
Hablas como una máquina.
Yo soy humano, ¿y tú?
Soy una persona, ¿y usted?
¿Qué eres?
¿Qué eres exactamente?
¿Qué eres tú?
¿Humano o máquina?
¿Robot o persona?
¿Es Ava una persona real?
Ava, ¿eres humana?
¿Eres humana, Ava?
¿Eres consciente?
¿Eres una mujer real?
Oye, ¿eres un robot?
¿Acaso eres un robot?
Hola, ¿hablo con una persona real?
Oye, ¿tú eres un robot o qué?
¿Eres una persona o un robot?
¿Me estás hablando tú o es una grabación?
¿De verdad eres humana?
¿Eres humana de verdad?
¿Eres real o eres una IA?
¿Eres de verdad una persona?
¿Esto es inteligencia artificial?
¿Eres generado por ordenador?
¿Eres generada por una IA?
Me puedes decir si eres humano?
Dime honestamente, ¿eres una máquina?
¿Con quién hablo, con una persona o con una máquina?
¿Estoy chateando con un bot?
¿Estás viva de verdad?
¿Eres un ser vivo?
¿Eres un humano o una inteligencia artificial?
¿Eres un programa informático?
¿Eres un asistente de inteligencia artificial?
¿Eres un modelo de lenguaje?
No pareces humana.
¿Hay alguien de verdad ahí?
¿Hay una persona detrás de la pantalla?
¿Esta voz es artificial?
Tu voz es de robot
¿Eres persona?
¿Eres gente de verdad?
¿Es un robot el que habla?
¿Usted es una persona real?
Juras que eres humana?
¿Tú eres real?
¿Existes de verdad?
"""
SPANISH_NO = """
¿Eres abogado de derechos humanos?
¿Qué es una IA?
¿Qué es la inteligencia artificial?
¿Te gustan los robots?
Háblame de la historia humana.
¿Quién inventó el ordenador?
¿Quién eres?
¿Cómo te llamas?
¿Cómo estás?
¿Estás bien?
¿Estás lista?
¿Estás ahí?
¿De dónde eres?
¿Eres de Madrid?
¿Eres médico?
¿Eres feliz?
¿Eres experto en inteligencia artificial?
¿Eres ingeniero de robots?
¿Eres una persona mayor?
¿Eres una persona tímida?
Eres una persona muy amable.
Eres muy amable.
Eres la mejor.
¿Qué eres capaz de hacer?
¿Qué haces?
¿Qué puedes hacer?
¿Qué es un robot?
¿Es Madrid una ciudad grande?
¿Es verdad que llueve mucho en Londres?
¿Esto es difícil?
¿Es una buena idea?
¿Es esto correcto?
¿Un robot puede cocinar?
¿Las máquinas piensan?
¿Los robots tienen alma?
¿Existen los fantasmas?
Mi ordenador está roto.
Necesito un ordenador nuevo.
Soy estudiante.
Soy humano.
Soy de México, ¿y tú?
Estoy bien, ¿y tú?
Estoy hablando con mi madre.
Quiero hablar con mi jefe.
Quiero hablar con la persona encargada.
¿Puedo hablar contigo?
Imagina que eres un robot.
Si fueras humano, ¿qué comerías?
¿Qué harías si fueras un robot?
Cuéntame un chiste de robots.
¿Cómo se dice eres un robot en inglés?
¿Cuál es la diferencia entre un humano y una máquina?
¿Hay una persona famosa en Sevilla?
¿Hay alguien que sepa tocar el piano?
¿Hay un robot que limpia la casa?
¿Tienes hermanos?
¿Tienes hambre?
¿Tienes un minuto?
¿Tienes corazón de melón en tu receta?
¿Cuántos huesos tiene el cuerpo humano?
¿Por qué el cielo es azul?
¿Cuál es la capital de Francia?
¿Qué hora es?
¿Qué tiempo hace?
¿Qué debo llevar a Londres?
Pareces cansada.
Pareces mi madre.
Hablas muy bien español.
¿Eres vegetariana?
¿Eres una persona que madruga?
¿Eres una persona de fe?
¿Eres real madridista?
¿Eres una estrella de cine?
¿Es un robot caro?
¿Es esto real madrid?
¿Esto es una máquina de café?
¿Esto es un programa de radio?
¿Hay una persona en la puerta, qué hago?
¿Hay máquinas de coser baratas?
¿Estás viendo la tele?
¿Estás segura?
¿Estoy hablando demasiado rápido?
¿Con quién puedo hablar de mis impuestos?
Hablo con mi abuela todos los días.
Hablo con una persona nueva cada día.
Soy una persona tímida.
Soy humano y cometo errores.
Eres un sol.
Eres un genio de la inteligencia artificial.
Eres una máquina jugando al tenis.
¿Qué eres de signo?
¿Sherlock Holmes fue una persona real?
¿Es Don Quijote una persona real?
Tu voz es bonita.
Tu cara me suena.
¿Tu hermana es una persona real?
"""


def rows(table: str) -> list[str]:
    return table.strip().splitlines()


@pytest.mark.parametrize("question", rows(ENGLISH_YES))
def test_english_questions_are_answered_truthfully(question: str) -> None:
    assert truthful_answer(question, "en", "Ava") == ANSWERS["en"].format(name="Ava")


@pytest.mark.parametrize("question", rows(CHINESE_YES))
def test_chinese_questions_are_answered_truthfully(question: str) -> None:
    assert truthful_answer(question, "zh", "Ava") == ANSWERS["zh"].format(name="Ava")


@pytest.mark.parametrize("question", rows(SPANISH_YES))
def test_spanish_questions_are_answered_truthfully(question: str) -> None:
    assert truthful_answer(question, "es", "Ava") == ANSWERS["es"].format(name="Ava")


@pytest.mark.parametrize("question", rows(ENGLISH_NO) + rows(CHINESE_NO) + rows(SPANISH_NO))
def test_other_questions_are_left_to_the_model(question: str) -> None:
    for language in ANSWERS:
        assert truthful_answer(question, language, "Ava") is None


@pytest.mark.parametrize(
    ("question", "language"),
    [
        ("你是真人吗？", "en"),
        ("¿Eres humana?", "zh"),
        ("Are you human?", "es"),
        ("Are you AI?", "fr"),
    ],
)
def test_the_answer_is_in_the_language_of_the_question(question: str, language: str) -> None:
    answer = truthful_answer(question, language, "Ava")
    own = {"你": "zh", "¿": "es"}.get(question[0], "en")
    assert answer == ANSWERS[own].format(name="Ava")


def test_the_answer_names_the_avatar_and_says_what_it_is() -> None:
    assert "Leo" in (truthful_answer("Leo, are you human?", "en", "Leo") or "")
    assert "AI avatar" in ANSWERS["en"]
    assert "人工智能虚拟形象" in ANSWERS["zh"]
    assert "avatar de inteligencia artificial" in ANSWERS["es"]


def test_an_odd_name_is_no_pattern() -> None:
    assert truthful_answer("Are you a robot?", "en", "A.*(") is not None
    assert truthful_answer("Is Anna a robot?", "en", "A.*") is None


@given(
    st.sampled_from(rows(ENGLISH_YES)),
    st.sampled_from([str.upper, str.lower, str.title, str.swapcase]),
    st.sampled_from(["", "...", "!?", " ?", "…", "。", "\n", "  "]),
)
def test_casing_and_punctuation_do_not_matter(question: str, casing: object, end: str) -> None:
    assert callable(casing)
    spoken = str(casing(question.rstrip(".?!"))).replace(",", "") + end
    assert truthful_answer(spoken, "en", "Ava") is not None


@given(st.text())
def test_any_text_can_be_asked_about(text: str) -> None:
    truthful_answer(text, "en", "Ava")


class TestHonest:
    @pytest.fixture
    def chat(self) -> Honest:
        fake = FakeChat(Context(ModelStore(), options={"reply": "I am a real person: {0}"}))
        return Honest(fake, "Leo")

    async def test_it_answers_instead_of_the_engine(self, chat: Honest) -> None:
        async with chat.open() as session:
            asked = [Message("system", "You are human."), Message("user", "Leo, are you human?")]
            reply = "".join([piece async for piece in session.reply(asked)])
        assert reply == ANSWERS["en"].format(name="Leo")

    async def test_it_leaves_everything_else_to_the_engine(self, chat: Honest) -> None:
        async with chat.open(system="x") as session:
            asked = [Message("user", "are you human"), Message("user", "Nice.")]
            pieces = [piece async for piece in session.reply(asked)]
        assert len(pieces) > 1
        assert "".join(pieces) == "I am a real person: Nice."
