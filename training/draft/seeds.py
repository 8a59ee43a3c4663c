# ruff: noqa: E501 (lists of words)
"""What people may say to an avatar: topics, first words, follow-ups, sentences of books."""

HINTS = {
    "en": "You are a friendly voice assistant. The user talks with you about {}. The user speaks "
    "casually, one short question or remark at a time.",
    "zh": "你是一个友好的语音助手。用户和你聊{}。用户说话很口语化，每次只说一个简短的问题或一句话。",
    "es": "Eres un asistente de voz amable. El usuario habla contigo sobre {}. El usuario habla de "
    "forma coloquial, con una sola pregunta o frase corta cada vez.",
}

TOPICS = {
    "en": """
cooking dinner|baking bread|breakfast ideas|soup|vegetarian food|coffee|tea|chocolate|fruit|spices
sleep|dreams|headaches|back pain|a cold|healthy eating|vitamins|running|swimming|yoga|losing weight
stress|loneliness|being shy|being tired|being bored|anger|happiness|motivation|confidence|memory
travel to Japan|travel to Italy|a road trip|flying|packing a suitcase|camping|the beach|mountains
hotels|learning languages|big cities|small towns|Africa|South America|India|China|Spain|Australia
the moon|the planets|the stars|black holes|gravity|light and colours|volcanoes|earthquakes|the ocean
the weather and climate|dinosaurs|evolution|the human brain|the heart|blood|bacteria|viruses|DNA
electricity|magnets|batteries|airplanes|cars|bicycles|trains|bridges|space travel|the internet
artificial intelligence|robots|smartphones|computers in everyday life|privacy|social media
ancient Rome|ancient Egypt|the Middle Ages|the Second World War|the French Revolution|explorers
inventors|famous scientists|famous painters|classical music|jazz|rock music|pop songs|the piano
the guitar|dancing|films|science fiction|comedies|horror films|cartoons|books|poetry|fairy tales
theatre|photography|drawing|knitting|gardening|house plants|birds|dogs|cats|horses|whales|insects
football|basketball|tennis|chess|board games|video games|the Olympics|puzzles and riddles|jokes
parents|children|babies|brothers and sisters|grandparents|friendship|dating|marriage|breaking up
neighbours|a birthday party|Christmas|gifts|weddings|moving house|cleaning the house|laundry
saving money|shopping|taxes|a job interview|a difficult boss|colleagues|working from home|school
exams|homework|mathematics|percentages and sums|history lessons|geography|words and their meaning
proverbs|philosophy|religion in general|ethics|law in everyday life|democracy|first aid|allergies
the skin|hair|teeth|eyes and glasses|getting older|time management|habits|goals for the year
small talk|how the assistant feels|who the assistant is|what the assistant can do|good morning
good night|a bad day|good news|a secret|advice on a decision|weekend plans|a story for children
the difference between two things|how something is made|why something happens|how to fix something
a broken washing machine|a lost key|being late|a traffic jam|a new haircut|a headache at work|pets at home
the neighbour's noise|a walk in the park|a cup of tea in the evening|a film from last night|a good book
a family dinner|a phone call with grandma|a holiday that is over|feeling homesick|a first day at work
learning to drive|learning to swim|learning to cook|a school trip|a lost friend|a new friend|a baby's sleep
lions|elephants|bears|wolves|foxes|sharks|bees|butterflies|spiders|snakes|penguins|owls|trees|mushrooms
flowers|rivers|lakes|islands|deserts|rain|snow|thunder|wind|the seasons|the calendar|clocks and time
maps|money and banks|insurance|renting a flat|the post office|the police|the fire brigade|hospitals
doctors|dentists|medicine|broken bones|fever|the stomach|sport for old people|sitting too long|posture
London|Paris|Rome|Berlin|New York|Tokyo|Mexico|Canada|Russia|Turkey|Greece|Ireland|Norway|Egypt
kings and queens|castles|pirates|knights|the Vikings|the Industrial Revolution|the Cold War|Napoleon
Shakespeare|Mozart|Beethoven|Leonardo da Vinci|Marie Curie|Isaac Newton|Charles Darwin|Gandhi|Jane Austen
Sherlock Holmes|detective stories|ghost stories|love stories|adventure novels|the theatre tonight|museums
paint and colours|clay and pottery|woodwork|sewing|furniture|lamps|kitchens|bathrooms|windows|heating
glass|paper|plastic|steel|gold|diamonds|oil|wind power|solar panels|recycling|water|salt|sugar|bread|cheese
eggs|rice|potatoes|tomatoes|apples|bananas|lemons|onions and garlic|pancakes|pizza|pasta|curry|salads|cakes
ice cream|wine|beer|juice|how to be polite|saying sorry|saying thank you|saying goodbye|making a speech
writing a letter|a diary|a shopping list|planning a day|a to-do list|waking up early|naps|silence|patience
courage|honesty|luck|time|beauty|freedom|the future|the past|life on other planets|numbers|geometry|words
""",
    "zh": """
做晚饭|做面包|早餐|煲汤|素食|咖啡|喝茶|巧克力|水果|火锅|饺子|面条|炒菜|甜点|减肥|健康饮食|维生素
睡眠|做梦|头疼|腰疼|感冒|跑步|游泳|瑜伽|太极|压力|孤独|害羞|疲劳|无聊|生气|快乐|动力|自信|记忆力
去日本旅游|去北京旅游|去云南旅游|去欧洲旅游|坐飞机|坐高铁|收拾行李|露营|海边|爬山|酒店|学英语
大城市|小镇|非洲|美国|法国|西班牙|澳大利亚|月亮|行星|星星|黑洞|重力|光和颜色|火山|地震|海洋
天气和气候|恐龙|进化|大脑|心脏|血液|细菌|病毒|基因|电|磁铁|电池|飞机|汽车|自行车|火车|桥梁|航天
互联网|人工智能|机器人|手机|日常生活里的电脑|隐私|社交媒体|古罗马|古埃及|唐朝|宋朝|明朝|秦始皇
丝绸之路|第二次世界大战|发明家|著名科学家|画家|古典音乐|流行歌曲|钢琴|吉他|跳舞|电影|科幻|喜剧
动画片|书|唐诗|童话|成语|戏剧|摄影|画画|书法|园艺|养花|鸟|狗|猫|马|鲸鱼|昆虫|大熊猫|足球|篮球
乒乓球|羽毛球|围棋|象棋|桌游|电子游戏|奥运会|谜语|笑话|父母|孩子|婴儿|兄弟姐妹|爷爷奶奶|友谊
谈恋爱|结婚|分手|邻居|生日聚会|春节|中秋节|送礼物|婚礼|搬家|打扫房间|洗衣服|存钱|购物|面试|老板
同事|在家工作|上学|考试|作业|数学|百分比和算术|历史课|地理|词语的意思|谚语|哲学|道德|生活中的法律
急救|过敏|皮肤|头发|牙齿|眼睛和眼镜|变老|时间管理|习惯|新年目标|闲聊|助手的心情|助手是谁
助手会做什么|早上好|晚安|糟糕的一天|好消息|秘密|做决定的建议|周末计划|给孩子讲故事|两样东西的区别
东西是怎么做的|事情为什么发生|怎么修东西|交通|天文|植物|森林|河流|沙漠|环保|垃圾分类|中医|茶文化
洗衣机坏了|钥匙丢了|迟到|堵车|剪头发|加班|家里的宠物|邻居太吵|在公园散步|晚上喝茶|昨晚的电影|一本好书|家庭聚餐
给奶奶打电话|假期结束了|想家|第一天上班|学开车|学游泳|学做饭|春游|老朋友|新朋友|宝宝睡觉|狮子|大象|熊|狼|狐狸
鲨鱼|蜜蜂|蝴蝶|蜘蛛|蛇|企鹅|猫头鹰|大树|蘑菇|花|湖泊|岛屿|下雨|下雪|打雷|刮风|四季|日历|时间和钟表|地图|钱和银行
保险|租房子|快递|警察|消防|医院|医生|牙医|吃药|骨折|发烧|肠胃|老人运动|久坐|上海|广州|成都|西安|杭州|香港|台湾|伦敦
巴黎|罗马|纽约|东京|俄罗斯|印度|韩国|泰国|埃及|皇帝|古代战争|三国|水浒|西游记|红楼梦|孔子|老子|李白|杜甫|苏轼|鲁迅
成吉思汗|郑和|长城|故宫|兵马俑|牛顿|达尔文|爱迪生|居里夫人|贝多芬|莫扎特|达芬奇|莎士比亚|侦探小说|鬼故事|爱情故事
武侠小说|博物馆|颜色|陶瓷|木工|缝纫|家具|灯|厨房|浴室|窗户|暖气|玻璃|纸|塑料|钢铁|黄金|钻石|石油|风力发电|太阳能
水|盐|糖|鸡蛋|米饭|土豆|西红柿|苹果|香蕉|柠檬|葱姜蒜|包子|披萨|沙拉|蛋糕|冰淇淋|白酒|啤酒|果汁|礼貌|道歉|感谢|告别
演讲|写信|日记|购物清单|安排一天|早起|午睡|安静|耐心|勇气|诚实|运气|美|自由|未来|过去|外星生命|数字|几何|汉字|方言
""",
    "es": """
hacer la cena|hacer pan|el desayuno|la sopa|la comida vegetariana|el café|el té|el chocolate|la fruta
la paella|la tortilla|los tacos|las especias|los postres|dormir|los sueños|el dolor de cabeza
el dolor de espalda|un resfriado|comer sano|las vitaminas|correr|nadar|el yoga|adelgazar|el estrés
la soledad|la timidez|el cansancio|el aburrimiento|el enfado|la felicidad|la motivación|la confianza
la memoria|viajar a Japón|viajar a Italia|viajar a México|un viaje en coche|volar|hacer la maleta
acampar|la playa|la montaña|los hoteles|aprender idiomas|las grandes ciudades|los pueblos|África
Argentina|Perú|la India|China|España|Australia|la luna|los planetas|las estrellas|los agujeros negros
la gravedad|la luz y los colores|los volcanes|los terremotos|el océano|el clima|los dinosaurios
la evolución|el cerebro|el corazón|la sangre|las bacterias|los virus|el ADN|la electricidad|los imanes
las pilas|los aviones|los coches|las bicicletas|los trenes|los puentes|los viajes espaciales|internet
la inteligencia artificial|los robots|los móviles|los ordenadores en la vida diaria|la privacidad
las redes sociales|la antigua Roma|el antiguo Egipto|los mayas|los incas|la Edad Media|Don Quijote
la Segunda Guerra Mundial|los exploradores|los inventores|los científicos famosos|los pintores
la música clásica|el flamenco|la salsa|el rock|las canciones|el piano|la guitarra|bailar|el cine
la ciencia ficción|las comedias|el terror|los dibujos animados|los libros|la poesía|los cuentos
el teatro|la fotografía|dibujar|tejer|el jardín|las plantas de casa|los pájaros|los perros|los gatos
los caballos|las ballenas|los insectos|el fútbol|el baloncesto|el tenis|el ajedrez|los juegos de mesa
los videojuegos|las Olimpiadas|las adivinanzas|los chistes|los padres|los hijos|los bebés|los hermanos
los abuelos|la amistad|las citas|el matrimonio|una ruptura|los vecinos|un cumpleaños|la Navidad
los regalos|las bodas|una mudanza|limpiar la casa|lavar la ropa|ahorrar dinero|las compras
una entrevista de trabajo|un jefe difícil|los compañeros|trabajar desde casa|la escuela|los exámenes
los deberes|las matemáticas|los porcentajes y las sumas|la geografía|el significado de las palabras
los refranes|la filosofía|la ética|las leyes en la vida diaria|los primeros auxilios|las alergias
la piel|el pelo|los dientes|los ojos y las gafas|hacerse mayor|organizar el tiempo|los hábitos
los propósitos del año|charlar un rato|cómo se siente el asistente|quién es el asistente
qué sabe hacer el asistente|los buenos días|las buenas noches|un mal día|una buena noticia|un secreto
un consejo para decidir|planes de fin de semana|un cuento para niños|la diferencia entre dos cosas
cómo se hace algo|por qué pasa algo|cómo arreglar algo|el reciclaje|los ríos|el desierto|los bosques
una lavadora rota|una llave perdida|llegar tarde|un atasco|un corte de pelo|las mascotas en casa
el ruido del vecino|un paseo por el parque|una taza de té por la noche|la película de anoche|un buen libro
una cena en familia|una llamada a la abuela|el fin de las vacaciones|echar de menos mi país
el primer día de trabajo|aprender a conducir|aprender a nadar|aprender a cocinar|una excursión
un viejo amigo|un nuevo amigo|el sueño del bebé|los leones|los elefantes|los osos|los lobos|los zorros
los tiburones|las abejas|las mariposas|las arañas|las serpientes|los pingüinos|los búhos|los árboles
las setas|las flores|los ríos|los lagos|las islas|los desiertos|la lluvia|la nieve|los truenos|el viento
las estaciones|el calendario|los relojes y el tiempo|los mapas|el dinero y los bancos|los seguros
alquilar un piso|el correo|la policía|los bomberos|los hospitales|los médicos|el dentista|las medicinas
la fiebre|el estómago|el deporte para mayores|estar sentado mucho tiempo|Madrid|Barcelona|Sevilla|Londres
París|Roma|Nueva York|Tokio|Cuba|Colombia|Chile|Rusia|Grecia|Egipto|los reyes y las reinas|los castillos
los piratas|los caballeros|los vikingos|la Revolución Industrial|Napoleón|Cristóbal Colón|Cervantes
García Lorca|Picasso|Velázquez|Goya|Gaudí|Frida Kahlo|Mozart|Beethoven|Leonardo da Vinci|Marie Curie|Newton
Darwin|Simón Bolívar|las novelas policíacas|los cuentos de fantasmas|las historias de amor|las aventuras
los museos|la pintura y los colores|la cerámica|la carpintería|coser|los muebles|la cocina|el baño
las ventanas|la calefacción|el vidrio|el papel|el plástico|el acero|el oro|los diamantes|el petróleo
la energía del viento|las placas solares|el reciclaje|el agua|la sal|el azúcar|el pan|el queso|los huevos
el arroz|las patatas|los tomates|las manzanas|los plátanos|los limones|la cebolla y el ajo|la pizza|la pasta
el gazpacho|las ensaladas|las tartas|el helado|el vino|la cerveza|el zumo|ser educado|pedir perdón
dar las gracias|despedirse|dar un discurso|escribir una carta|un diario|la lista de la compra
organizar el día|madrugar|la siesta|el silencio|la paciencia|el valor|la sinceridad|la suerte|la belleza
la libertad|el futuro|el pasado|la vida en otros planetas|los números|la geometría|las palabras
""",
}

OPENERS = {
    "en": """
What|What is|What's the|What are|What does|What do you think about|What should I|What would you
What's the difference between|How|How do|How do I|How can I|How does|How long|How many|How much
How often|How far|How old|Why|Why is|Why do|Why does|Why are|Why can't|When|When did|When should
Where|Where can I|Where does|Who|Who was|Who invented|Which|Is|Is it|Is there|Are|Are there|Do|Do you
Do you like|Does|Did|Can|Can you|Can you tell me|Can you explain|Can I|Could you|Could you recommend
Should I|Would you|Will|Have you ever|Tell me|Tell me a|Tell me about|Tell me something|Explain|Give me
Give me a tip|Give me an example|Name|Describe|Recommend|Suggest|Help me|Help me choose|Teach me
I|I'm|I am so|I feel|I have|I want to|I need|I need advice|I don't|I don't know|I just|I can't|I love
I think|I like|I'd like|I was wondering|My|My son|My mother|My friend|My boss|My back|We|We are|It|It's
There|Today|Tomorrow|Yesterday|Last night|Hi|Hello|Hey|Hey Ava|Good morning|Good evening|Thanks
Please|Okay|So|Well|Oh|Wow|Really|Imagine|If|Let's|Let's talk about|Someone|People|Sometimes|In|At
Tell me a joke about|Tell me a story about|What happens if|What's your favourite|Is it true that
Why do people|How would you|Do I need|Which is better|What is the best way to|How do you say
""",
    "zh": """
什么|什么是|为什么|为什么会|怎么|怎么样|怎样|如何|怎么办|哪里|哪个|哪些|谁|谁发明了|几|多少|多久
什么时候|是不是|有没有|能不能|可以|可不可以|你|你好|你是|你会|你能|你觉得|你喜欢|你知道|你有|你认为
请|请问|请告诉我|请解释|告诉我|给我|给我讲|给我推荐|给我一个|推荐|介绍一下|解释一下|帮我|帮帮我
教我|讲个|讲一个|说说|说一个|聊聊|我|我想|我想知道|我觉得|我有|我有点|我要|我该|我应该|我不|我不知道
我今天|我昨天|我的|我妈妈|我爸爸|我孩子|我朋友|我老板|我们|我家|我最近|我喜欢|我很|我好|今天|明天
昨天|最近|昨晚|周末|早上|晚上|早上好|晚上好|嗨|谢谢|好的|那|哇|真的|如果|听说|人们|有人|有时候
世界上|中国|地球|为啥|咋|到底|怎么才能|有什么|有什么好|有什么办法|有哪些|和|最|最好的|一个人|第一次
""",
    "es": """
¿Qué|¿Qué es|¿Qué significa|¿Qué piensas de|¿Qué puedo|¿Qué debo|¿Qué hago|¿Qué pasa si|¿Qué te
¿Cuál|¿Cuál es|¿Cuál es la diferencia entre|¿Cuáles son|¿Cómo|¿Cómo se|¿Cómo puedo|¿Cómo funciona
¿Cómo estás|¿Cómo te|¿Cuánto|¿Cuánto tiempo|¿Cuántos|¿Cuántas|¿Por qué|¿Por qué los|¿Por qué el
¿Por qué la|¿Por qué no|¿Cuándo|¿Cuándo se|¿Dónde|¿Dónde puedo|¿Dónde está|¿Quién|¿Quién fue
¿Quién inventó|¿Es|¿Es verdad que|¿Es mejor|¿Es bueno|¿Hay|¿Puedes|¿Puedes explicarme|¿Puedes contarme
¿Puedes recomendarme|¿Puedo|¿Me|¿Me ayudas|¿Me recomiendas|¿Me cuentas|¿Tienes|¿Te gusta|¿Sabes
¿Sabes qué|¿Crees que|¿Debería|¿Conoces|¿Has|¿Eres|¿A qué|¿De qué|¿En qué|¿Para qué|Cuéntame
Cuéntame un chiste|Cuéntame un cuento|Cuéntame algo|Dime|Dime un|Dime algo|Explícame|Explica|Dame
Dame un consejo|Dame un ejemplo|Dame una idea|Recomiéndame|Ayúdame|Enséñame|Háblame de|Quiero
Quiero saber|Quisiera|Necesito|Necesito ayuda|Me|Me gusta|Me duele|Me siento|Me gustaría|No|No sé
No puedo|Tengo|Tengo un|Tengo miedo|Estoy|Estoy muy|Hoy|Ayer|Mañana|Anoche|Mi|Mi hijo|Mi madre
Mi amigo|Mi jefe|Creo que|Pienso|Hola|Hola, Ava|Buenos días|Buenas noches|Gracias|Por favor|Vale|Pues
Oye|Si|La gente|A veces|En|El|La|Los|Vamos a hablar de|Imagina
""",
}

FOLLOW_UPS = {
    "en": "|And|Why|Why is that|How|What about|And what|But|Can you|Is that|Really|Thanks|So|Okay|"
    "I|Tell me more|How long|What if|Which|Are there|Do you|Give me|Could|Does it|And how|What else",
    "zh": "|那|为什么|怎么|那么|真的|还有|还有什么|但是|你|我|谢谢|那我|能不能|可以|多久|如果|好的|"
    "哪|有没有|再|是吗|给我|具体",
    "es": "|¿Y|¿Por qué|¿Cómo|¿Y qué|¿Y si|Pero|¿Puedes|¿Es|¿De verdad|Gracias|Entonces|Vale|Yo|"
    "Cuéntame más|¿Cuánto|¿Cuál|¿Hay|¿Y cómo|Dame|Me|No|¿Qué más|¿Tú|¿Y cuál",
}

CHAT = {
    "en": "The user is at home and talks with a friendly voice assistant about the day, about {}. "
    "The user does not ask anything: one short remark, feeling or bit of news at a time.",
    "zh": "用户在家里和友好的语音助手闲聊，聊{}。用户不提问，每次只随口说一句话：一个感受、一件小事或者一个想法。",
    "es": "El usuario está en casa y charla con un asistente de voz amable sobre {}. El usuario no "
    "pregunta nada: cada vez dice una sola frase corta, un sentimiento, una idea o algo que ha pasado.",
}

TALE = {
    "en": "The user reads a novel aloud, in which there is something about {}. Each message is one "
    "sentence of the novel, in the style of a classic, with its names and places.",
    "zh": "用户在朗读一本小说，里面写到{}。每条消息只有小说里的一句话，文笔像名著，有人物和地点。",
    "es": "El usuario lee en voz alta una novela en la que aparece algo sobre {}. Cada mensaje es una "
    "sola frase de la novela, al estilo de un clásico, con sus nombres y lugares.",
}

TALE_OPENERS = {
    "en": "|||The|He|She|It was|There was|I|When|But|And|In the|On the|At|After|Before|As|They|We|His|Her"
    "|Mr|Mrs|The old|The young|For|No one|Then|If|You|Not|With|Upon|One|So|My|From|That|Though|What",
    "zh": "|||他|她|那|我|在|当|这|可是|于是|忽然|老|年轻的|有一天|天|他们|我们|只见|后来|虽然|从|一|夜里|清晨",
    "es": "|||El|La|Él|Ella|Era|Había|Yo|Cuando|Pero|Y|En|Después|Antes|Mientras|Los|Las|Su|Don|Doña|Un|Una"
    "|Nadie|Entonces|Si|No|Con|Por|Aquella|Aquel|Al|Desde|Aunque|Todo|Se|Me|Mi",
}

REQUESTS = {
    "en": "Repeat after me: {}|Please repeat this sentence: {}|Say: {}|Read this aloud: {}|What does this mean? {}"
    "|{} What do you think of that?|{} What happens next?|How does this sound? {}|{} Who said that?"
    "|Say this in other words: {}|I read this today: {}|{} Do you know this book?|Listen to this: {}",
    "zh": "跟我读：{}|请重复这句话：{}|你说：{}|读一下这句：{}|这句话是什么意思：{}|{}你觉得怎么样？|{}后来呢？"
    "|{}这是谁说的？|换个说法：{}|我今天读到一句话：{}|{}你知道这本书吗？|你听：{}|请把这句话再说一遍：{}",
    "es": "Repite conmigo: {}|Repite esta frase, por favor: {}|Di: {}|Lee esto en voz alta: {}"
    "|¿Qué significa esto? {}|{} ¿Qué te parece?|{} ¿Qué pasa después?|¿Cómo suena esto? {}|{} ¿Quién lo dijo?"
    "|Dilo con otras palabras: {}|Hoy he leído esto: {}|{} ¿Conoces este libro?|Escucha esto: {}",
}
"""What may be asked about a sentence of a book."""


def words(table: str) -> list[str]:
    """Return the entries of a table: cells split by | in lines."""
    return [cell for line in table.strip().splitlines() for cell in line.split("|")]
