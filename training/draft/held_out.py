"""Everyday questions written by hand, to measure on: none was seen in training."""

QUESTIONS = {
    "en": """
Hi Ava, how are you today?
What's your name?
Are you a real person?
What can you help me with?
What time is it?
Will it rain tomorrow?
Tell me a joke.
I can't fall asleep at night. What should I do?
How do I boil an egg?
What's a quick dinner I can make with rice and eggs?
Why is the sky blue?
How far away is the moon?
Who painted the Mona Lisa?
What is the capital of Canada?
How many people live in Brazil?
What's the difference between a frog and a toad?
How does a microwave oven work?
Why do cats purr?
My dog is afraid of thunder. How can I calm him down?
I feel a bit lonely today.
I got the job!
My girlfriend just broke up with me.
I have a job interview tomorrow and I'm really nervous.
How can I remember people's names better?
What does the word serendipity mean?
How do you say thank you in Japanese?
Can you recommend a good film for a rainy evening?
What is a good book for a ten year old?
How much water should I drink every day?
Is coffee bad for you?
What's the fastest animal in the world?
Why do we dream?
How do vaccines work?
What was the Roman Empire?
When did the Second World War end?
Who was Albert Einstein?
What is a black hole?
How do airplanes stay in the air?
What should I pack for a week at the beach?
Is it better to travel by train or by plane?
What are three things to see in Paris?
How do I get a coffee stain out of a white shirt?
How can I save money on groceries?
What's fifteen percent of eighty?
Give me an idea for a birthday present for my mother.
How do I start running if I'm out of shape?
What's a good stretch for a sore back?
How do I say no to my boss politely?
My kids won't eat vegetables. Any ideas?
Do you ever get bored?
What do you think about when nobody talks to you?
Tell me a short story about a dragon.
Tell me something interesting about octopuses.
Which is healthier, butter or olive oil?
Why do leaves turn red in autumn?
What is inflation?
How can I learn the guitar on my own?
Should I buy a house or rent?
Can you explain what artificial intelligence is?
Okay, thank you, good night!
""",
    "zh": """
你好，你今天怎么样？
你叫什么名字？
你是真人吗？
你能帮我做什么？
现在几点了？
明天会下雨吗？
给我讲个笑话吧。
我晚上睡不着，怎么办？
鸡蛋要煮多久？
家里只有米饭和鸡蛋，晚上能做什么？
天空为什么是蓝色的？
月亮离我们有多远？
蒙娜丽莎是谁画的？
加拿大的首都是哪里？
巴西有多少人口？
青蛙和蟾蜍有什么区别？
微波炉是怎么工作的？
猫为什么会打呼噜？
我家的狗怕打雷，怎么安慰它？
我今天觉得有点孤单。
我找到工作了！
我女朋友刚和我分手了。
明天我要面试，好紧张。
怎样才能记住别人的名字？
“画蛇添足”是什么意思？
日语的谢谢怎么说？
下雨的晚上看什么电影好？
十岁的孩子适合看什么书？
每天应该喝多少水？
喝咖啡对身体不好吗？
世界上跑得最快的动物是什么？
人为什么会做梦？
疫苗是怎么起作用的？
唐朝为什么那么有名？
第二次世界大战是哪一年结束的？
爱因斯坦是谁？
什么是黑洞？
飞机为什么能飞起来？
去海边玩一个星期要带什么？
坐高铁好还是坐飞机好？
去北京一定要看哪三个地方？
白衬衫上的咖啡渍怎么洗掉？
买菜怎么省钱？
八十的百分之十五是多少？
妈妈过生日送什么礼物好？
我体力很差，怎么开始跑步？
腰酸背痛做什么动作好？
怎么委婉地拒绝老板？
孩子不爱吃蔬菜怎么办？
你会觉得无聊吗？
没人和你说话的时候你在想什么？
给我讲一个关于龙的小故事。
说一件关于章鱼的有趣的事。
黄油和橄榄油哪个更健康？
秋天树叶为什么会变红？
什么是通货膨胀？
怎么自学吉他？
我该买房还是租房？
你能解释一下什么是人工智能吗？
好的，谢谢你，晚安！
""",
    "es": """
Hola, Ava, ¿cómo estás hoy?
¿Cómo te llamas?
¿Eres una persona de verdad?
¿En qué me puedes ayudar?
¿Qué hora es?
¿Va a llover mañana?
Cuéntame un chiste.
No puedo dormir por la noche. ¿Qué hago?
¿Cómo se cuece un huevo?
¿Qué ceno si solo tengo arroz y huevos?
¿Por qué el cielo es azul?
¿A qué distancia está la luna?
¿Quién pintó la Mona Lisa?
¿Cuál es la capital de Canadá?
¿Cuánta gente vive en Brasil?
¿Qué diferencia hay entre una rana y un sapo?
¿Cómo funciona un microondas?
¿Por qué ronronean los gatos?
Mi perro tiene miedo de los truenos. ¿Cómo lo calmo?
Hoy me siento un poco solo.
¡Me han dado el trabajo!
Mi novia acaba de dejarme.
Mañana tengo una entrevista de trabajo y estoy muy nervioso.
¿Cómo puedo recordar mejor los nombres?
¿Qué significa la palabra nostalgia?
¿Cómo se dice gracias en japonés?
¿Me recomiendas una película para una tarde de lluvia?
¿Qué libro es bueno para un niño de diez años?
¿Cuánta agua hay que beber al día?
¿Es malo el café?
¿Cuál es el animal más rápido del mundo?
¿Por qué soñamos?
¿Cómo funcionan las vacunas?
¿Qué fue el Imperio romano?
¿Cuándo terminó la Segunda Guerra Mundial?
¿Quién fue Albert Einstein?
¿Qué es un agujero negro?
¿Por qué vuelan los aviones?
¿Qué meto en la maleta para una semana de playa?
¿Es mejor viajar en tren o en avión?
Dime tres cosas que ver en París.
¿Cómo quito una mancha de café de una camisa blanca?
¿Cómo puedo ahorrar en la compra?
¿Cuánto es el quince por ciento de ochenta?
Dame una idea de regalo para el cumpleaños de mi madre.
¿Cómo empiezo a correr si no estoy en forma?
¿Qué ejercicio va bien para el dolor de espalda?
¿Cómo le digo que no a mi jefe sin ofenderle?
Mis hijos no quieren comer verdura. ¿Alguna idea?
¿Te aburres alguna vez?
¿En qué piensas cuando nadie te habla?
Cuéntame un cuento corto sobre un dragón.
Cuéntame algo curioso sobre los pulpos.
¿Qué es más sano, la mantequilla o el aceite de oliva?
¿Por qué las hojas se ponen rojas en otoño?
¿Qué es la inflación?
¿Cómo puedo aprender a tocar la guitarra solo?
¿Debería comprar una casa o alquilar?
¿Puedes explicarme qué es la inteligencia artificial?
Vale, gracias, ¡buenas noches!
""",
}
