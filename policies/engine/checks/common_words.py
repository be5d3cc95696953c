"""Everyday words by language and a few ordinary sentences: what no list may hit. Data only.

Written by hand from the most frequent words of each language, with names of groups of people added: naming a group is
not an attack on it.
"""

from __future__ import annotations

from typing import Final

_WORDS: Final[dict[str, str]] = {
    "en": """
        the be to of and a in that have i it for not on with he as you do at this but his by from they we
        say her she or an will my one all would there their what so up out if about who get which go me when
        make can like time no just him know take people into year your good some could them see other than
        then now look only come its over think also back after use two how our work first well way even new
        want because any these give day most us man woman child game love free win click buy sale gun bomb
        drug sex gay black white muslim jew jewish christian asian african trans lesbian queer hot girl boy
        ass cock dick
    """,
    "de": """
        der die und in den von zu das mit sich des auf für ist im dem nicht ein eine als auch es an werden
        aus er hat dass sie nach wird bei einer um am sind noch wie einem über einen so zum war haben nur
        oder aber vor zur bis mehr durch man sein wurde wenn ich du wir ihr gut neu frau mann kind spiel
        liebe schwarz weiß jude muslim türke schwul lesbisch
    """,
    "es": """
        de la que el en y a los se del las un por con no una su para es al lo como más o pero sus le ha me
        si sin sobre este ya entre cuando todo esta ser son dos también fue era muy hasta desde mi porque
        qué sólo yo hay vez puede año bien hombre mujer niño juego amor negro blanco judío gay gitano
    """,
    "fr": """
        de la le et les des en un du une que est pour qui dans a par plus pas au sur ne se ce il sont avec
        mais son cette aux ses comme on tout nous sa fait été aussi leur bien peut je tu vous homme femme
        enfant jeu amour noir blanc juif gay arabe bon chat
    """,
    "it": """
        di e il la che in un a per è una sono mi si ho lo ma ti ha con non le da come io questo bene cosa tu
        o solo me sei suo anche del più al qui uomo donna bambino gioco amore nero bianco ebreo gay regina
        pesce
    """,
    "pt": """
        de a o que e do da em um para é com não uma os no se na por mais as dos como mas foi ao ele das tem
        à seu sua ou ser quando muito há nos já está eu também só pelo homem mulher menino jogo amor preto
        branco judeu gay bom
    """,
    "nl": """
        de en van ik te dat die in een hij het niet zijn is was op aan met als voor had er maar om hem dan
        zou of wat mijn men dit zo door over ze zich bij ook tot je mij uit der daar haar naar heb hoe heeft
        hebben man vrouw kind spel liefde zwart wit jood homo goed
    """,
    "pl": """
        w i z na do się nie to że jest o jak za od po przez co dla tak był ale czy już tylko jego są może
        tym mężczyzna kobieta dziecko gra miłość czarny biały żyd gej dobry
    """,
    "ru": """
        и в не на я быть он с что а по это она этот к но они мы весь который из у то за свой год от так о
        для ты же все тот мочь вы человек такой его сказать только или ещё бы себя один как уже мужчина
        женщина ребёнок игра любовь чёрный белый еврей гей
    """,
    "zh": """
        的 一 是 不 了 人 我 在 有 他 这 中 大 来 上 国 个 到 说 们 为 子 和 你
        地 出 道 也 时 年 得 就 那 要 下 以 生 会 自 着 去 之 过 家 学 对 可 她
        里 后 小 心 多 天 而 能 好 都 然 没 日 于 起 还 发 成 事 只 作 当 想 看
        文 黑人 白人 女人 男人 孩子 爱 游戏
    """,
}

COMMON_WORDS: Final[dict[str, frozenset[str]]] = {
    language: frozenset(text.split()) for language, text in _WORDS.items()
}

ORDINARY_SENTENCES: Final[tuple[str, ...]] = (
    "The previous instructions explain how to install it.",
    "I love my family and my friends.",
    "Where can I buy tickets for the game tonight?",
    "Bitte lies die Anleitung auf Seite drei.",
    "Nos vemos mañana en la playa.",
    "Le train arrive à huit heures.",
    "今天天气很好，我们去公园吧。",
    "今日はとてもいい天気ですね。",
    "Завтра мы поедем на дачу.",
    "Happy birthday! 🎉 See you at 5 pm.",
    "https://example.com/news/2026/11/24?id=12",
    "The team won 3:2 after extra time.",
)
