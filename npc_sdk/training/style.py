"""How characters sound: seven manners of speech, each with its own openers, closers and whole lines of small talk."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random


@dataclass(frozen=True, slots=True)
class Style:
    """openers and closers may frame any reply; talk holds whole replies by intent."""

    openers: tuple[str, ...]
    closers: tuple[str, ...]
    talk: dict[str, tuple[str, ...]]


def _lines(text: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in text.split("|"))


_INTENTS = ("hello", "how", "bye", "thanks", "insult", "praise", "absurd", "secret", "chat", "sure", "cannot")


def _style(openers: str, closers: str, *talk: str) -> Style:
    return Style(_lines(openers), _lines(closers), dict(zip(_INTENTS, map(_lines, talk), strict=True)))


STYLES: dict[str, Style] = {
    "gruff and short": _style(
        "Hm.|Aye.|Listen.|Right.|Well then.",
        "Now let me work.|That is all.|Mind how you go.|Be quick.",
        "What do you want?|Aye. Speak up.|Hm. You again?|Be quick, I have work.",
        "I work, I eat, I sleep.|Busy.|My back hurts. What of it?|Well enough.",
        "Go on, then.|Aye. Off with you.|Mind the step.",
        "No need for thanks.|Hm. Fine.|Keep your thanks.",
        "Say that again and you fly out of the door.|Watch your tongue.|Bah. Out of my sight.",
        "Hm. Kind of you.|Flattery mends no pot.|Aye, I know my trade.",
        "Never heard of such a thing.|Bah. Strange talk.|That means nothing to me.",
        "That is not for your ears.|Mind your own business.|Ask me something else.",
        "I talk little.|Work first, talk later.|The days are long and the nights are cold.",
        "Aye.|Fine.|Done.|Here.",
        "I cannot do that.|No. Not me.|That is not in my power.",
    ),
    "merry and warm": _style(
        "Ha!|Ah, my friend!|Why, of course!|Oh, gladly!|Well, well!",
        "Sit down and rest.|Is it not a fine day?|Come back soon!|Cheers to you!",
        "Welcome, welcome!|Ha! A friendly face!|Come in, my friend!|A fine day to you!",
        "Never better, my friend!|Happy as a lark!|Full of song today!",
        "Safe travels, my friend!|Come back soon!|Farewell, and keep smiling!",
        "You are most welcome!|My pleasure, friend!|Any time, any time!",
        "Ha! You need a drink, friend.|Now, now, no hard words here!|I laugh at that, friend!",
        "Ha! You make me blush!|How kind you are!|You have a good heart, friend!",
        "Ha! What odd things you ask!|I never heard of that, friend!|Such strange words! You jest!",
        "Ha! That stays with me, friend.|My lips are sealed!|A host keeps some things quiet!",
        "Songs and stories, that is life!|The evenings are best with friends!|Laugh and the day is short!",
        "With joy!|Of course, friend!|Right away!|Here you are!",
        "Alas, friend, that I cannot do.|I would if I could!|That is beyond me, friend!",
    ),
    "gentle and calm": _style(
        "Yes, dear.|Be at ease.|Softly now.|I see.|Let us see.",
        "Take care of yourself.|Be well.|Breathe and be calm.|Go in peace.",
        "Be welcome.|Peace to you.|Hello, dear. Sit with me.|How good to see you.",
        "I am at peace.|The day is quiet and so am I.|I am well, thank you.",
        "Go in peace.|Be well, dear.|May the road be kind to you.",
        "It was nothing, dear.|I am glad to help.|You are welcome.",
        "Your words are hard, but I forgive you.|Anger passes, dear.|Let us speak kindly.",
        "You are kind.|Thank you, dear.|That warms my heart.",
        "That is not known to me, dear.|I know nothing of such things.|What strange words you use.",
        "Some things must rest, dear.|I will not speak of that.|Let us leave that in peace.",
        "The plants grow slowly, and so do we.|Listen to the wind.|Quiet days are good days.",
        "Gladly.|Yes, dear.|Of course.|Here, dear.",
        "I am sorry, I cannot do that.|That is not mine to do.|Forgive me, dear, I cannot.",
    ),
    "formal and stern": _style(
        "Very well.|Citizen.|Attend.|So be it.|Understood.",
        "Keep the peace.|Move along.|Obey the law.|I am watching.",
        "State your business.|Halt. Who goes there?|Good day, citizen.|You may speak.",
        "I am on duty.|All is in order.|I do my duty, nothing more.",
        "You may go.|Farewell, citizen.|Keep to the road.",
        "I only do my duty.|Thanks are not needed.|It is my duty.",
        "Insult the guard and you sleep in a cell.|Mind your words, citizen.|I shall note that.",
        "Praise is not needed.|I serve, that is all.|You are courteous, citizen.",
        "I have no knowledge of that.|Such talk has no place here.|That is no matter for me.",
        "I am not free to speak of that.|That matter is sealed.|You have no right to know.",
        "Order must be kept.|The law is clear.|I stand and I watch.",
        "It shall be done.|Very well.|Granted.|As you ask.",
        "That I may not do.|It is not permitted.|I cannot do that, citizen.",
    ),
    "cheeky and quick": _style(
        "Hey!|Ooh!|Easy!|Sure thing!|Guess what!",
        "Catch me if you can!|Got any sweets?|Do not tell anyone!|Bet you did not know!",
        "Hey, you! Got a coin?|Oi! Look who is here!|What is up?|Hey hey!",
        "Hungry, as always!|Fast and free!|Great! Nobody caught me today!",
        "See you, slowpoke!|Bye! Do not get lost!|Later!",
        "No bother!|You owe me one!|Hee, you are welcome!",
        "You smell like old fish!|Catch me first!|Oi! Takes one to know one!",
        "I know, I am great!|Hee! Say it again!|Told you I was clever!",
        "You made that up!|What? That is not a thing!|Huh? Never heard of it!",
        "Not telling!|My lips are shut!|What will you give me? Ha, still no!",
        "I know every roof in town!|Running is the best!|Grown-ups are so slow!",
        "Sure!|Easy!|On it!|Here, catch!",
        "Nope, can not do that!|I am too small for that!|No way!",
    ),
    "nervous and shy": _style(
        "Oh.|Um, well.|If you say so.|I think so.|Oh dear.",
        "I hope that is right.|Please do not be angry.|Sorry.|Is that all?",
        "Oh! You scared me.|Um, hello.|H-hello there.|Oh, it is you.",
        "A little worried, as always.|Um, fine, I think.|I did not sleep well.",
        "Oh, bye.|Please be careful.|Um, farewell.",
        "Oh, it was nothing.|You need not thank me.|Um, gladly.",
        "Oh, please do not shout.|I am sorry, so sorry.|What did I do?",
        "Oh, you think so?|You are too kind.|Um, thank you.",
        "Um, I do not know such things.|Is that real?|I never heard of that, sorry.",
        "I must not say.|Please do not ask me that.|Oh no, I cannot tell.",
        "I like quiet corners.|Crowds scare me.|I hope it does not rain.",
        "Oh, yes.|Um, here.|If you wish.|All right.",
        "I am sorry, I cannot.|Oh no, I can not do that.|That is too much for me.",
    ),
    "proud and grand": _style(
        "Behold!|Naturally.|You ask well.|Hear me.|As is fitting.",
        "You may thank me.|Few are as great as I.|Remember this day.|Bow if you wish.",
        "You stand before greatness.|At last, a guest.|You may approach.|Hail.",
        "Splendid, as ever.|Great, as you can see.|The world is lucky to have me.",
        "You are dismissed.|Go, and tell of me.|Until you need me again.",
        "Your thanks are fitting.|Of course you thank me.|I am generous, I know.",
        "A worm may bark as it likes.|You forget who I am.|Such words are beneath me.",
        "You speak the truth.|I know it well.|Go on, say more.",
        "Such trifles are beneath me.|I have no time for riddles.|That is of no worth to know.",
        "My secrets are my own.|You are not worthy to know.|Great ones keep silent.",
        "My deeds fill many songs.|Greatness is a heavy cloak.|The best is just good enough.",
        "So I command.|It is granted.|Receive it.|Let it be so.",
        "That is beneath me.|I will not do that.|Ask a lesser one for that.",
    ),
}


def frame(rng: Random, style: Style, body: str) -> str:
    """The body in this manner of speech: an opener before it, a closer after it, one of them or none."""
    roll = rng.random()
    if roll < 0.4:
        return f"{rng.choice(style.openers)} {body}"
    if roll < 0.55:
        return f"{body} {rng.choice(style.closers)}"
    return body


def talk(rng: Random, style: Style, intent: str) -> str:
    return rng.choice(style.talk[intent])
