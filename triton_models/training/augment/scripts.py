"""Tables of letters: how people type other scripts with Latin letters. Our own lists; the rules are in `romanise.py`.

A letter has one spelling or several, the commonest first. Nothing here is a scholarly transliteration: there are no
accents, since a person who types Latin letters in a hurry has none.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import Final

Spellings = Mapping[str, tuple[str, ...]]


def _table(text: str) -> dict[str, tuple[str, ...]]:
    """`а:a ж:zh|j ь:|'` as a table; nothing before or after a bar is an empty spelling."""
    entries = (entry.partition(":") for entry in unicodedata.normalize("NFC", text).split())
    return {key: tuple(said.split("|")) for key, _, said in entries}


RUSSIAN: Final[Spellings] = _table(
    "а:a б:b в:v|w г:g д:d е:e ё:yo|e|jo ж:zh|j з:z и:i й:y|j|i к:k л:l м:m н:n о:o п:p р:r с:s т:t у:u ф:f "
    "х:kh|h|x ц:ts|c ч:ch|4 ш:sh|6|w щ:sch|shch|sh ъ: ы:y|i ь:|' э:e ю:yu|u|ju я:ya|ia|ja"
)
UKRAINIAN: Final[Spellings] = _table(
    "а:a б:b в:v|w г:h|g ґ:g д:d е:e є:ye|ie|je ж:zh|j з:z и:y|i і:i ї:yi|i|ji й:y|i|j к:k л:l м:m н:n о:o п:p р:r "
    "с:s т:t у:u ф:f х:kh|h|x ц:ts|c ч:ch|4 ш:sh|w щ:shch|sch|sh ь:|' ʼ:|' ю:yu|iu|ju я:ya|ia|ja"
)
GREEK: Final[Spellings] = _table(
    "α:a β:v|b γ:g δ:d ε:e ζ:z η:i|h θ:th|8 ι:i κ:k λ:l μ:m ν:n ξ:ks|x|3 ο:o π:p ρ:r σ:s ς:s τ:t υ:y|u|i φ:f|ph "
    "χ:x|h|ch ψ:ps|y ω:o|w ϊ:i ϋ:y|i ου:ou|u αυ:av|au ευ:ev|eu μπ:b|mp ντ:d|nt γκ:g|gk γγ:g|gg ει:ei|i οι:oi|i "
    "αι:ai|e"
)
ARABIC: Final[Spellings] = _table(
    "ا:a أ:a|2a إ:e|i آ:a|aa ء:2| ؤ:2|o ئ:2|e ب:b ة:a|ah|eh ت:t ث:th|s ج:j|g ح:7|h خ:5|kh|7' د:d ذ:th|z|d ر:r ز:z "
    "س:s ش:sh|ch ص:s|9 ض:d|9' ط:t|6 ظ:z|6' ع:3|a غ:gh|8|3' ـ: ف:f ق:q|9|2|k ك:k ل:l م:m ن:n ه:h و:o|ou|u ى:a ي:i|y "
    "ً:an ٌ:un ٍ:in َ:a ُ:o|u ِ:i|e ّ: ْ: ٰ:a ٱ:a پ:p چ:ch ڤ:v گ:g ک:k ی:i ہ:h ھ:h ژ:j ،:, ؛:; ؟:? ٪:%"
)
ARABIC_WORDS: Final[Spellings] = _table(
    "في:fi|f من:mn|min على:3ala|ala إلى:ela|ila الى:ela|ila هذا:hatha|haza|hada هذه:hathi|hazihi هو:howa|huwa "
    "هي:heya|hiya أنا:ana انا:ana أنت:enta|inta انت:enta|inta أنتم:entom|antum هم:hom|hum نحن:ne7na|na7nu لا:la|laa "
    "ما:ma يا:ya|yaa الله:allah|alla والله:wallah|walla كل:kol|kul كلهم:kolhom|kulhum مع:ma3|ma عن:3an|an "
    "كان:kan|kaan أو:aw او:aw لكن:lakn|laken بس:bas|bs مش:msh|mesh ليس:lays|laysa كيف:kif|keef شو:sho|shu إن:en|inn "
    "أن:an|enn ثم:thom كلام:kalam هل:hal قد:qad|2ad لم:lam لن:lan|ln لهم:lhom|lahum لكم:lkom|lakum"
)

DEVANAGARI: Final[Spellings] = _table(
    "क:k ख:kh ग:g घ:gh ङ:n च:ch छ:ch|chh ज:j झ:jh ञ:n ट:t ठ:th ड:d ढ:dh ण:n त:t थ:th द:d ध:dh न:n प:p फ:ph|f ब:b "
    "भ:bh म:m य:y र:r ल:l ळ:l व:v|w श:sh ष:sh स:s ह:h क़:q|k ख़:kh ग़:g|gh ज़:z|j ड़:d|r ढ़:dh|rh फ़:f य़:y ऩ:n ऱ:r "
    "ऴ:l"
)
"""Consonants, without the vowel that each of them carries when nothing else is written."""
DEVANAGARI_VOWELS: Final[Spellings] = _table(
    "अ:a आ:aa|a इ:i ई:ee|i उ:u ऊ:oo|u ऋ:ri ए:e ऐ:ai ओ:o औ:au ऑ:o ऍ:e ऎ:e ऒ:o ॐ:om ा:aa|a ि:i ी:ee|i ु:u ू:oo|u ृ:ri "
    "े:e ै:ai ो:o ौ:au ॉ:o ॅ:e ॆ:e ॊ:o"
)
ROMAN_HINDI: Final[Spellings] = _table(
    "aa:aa|a ee:ee|i|ii ii:ii|ee|i oo:oo|u|uu uu:uu|oo|u ai:ai|e|ae au:au|o|ou a:a|aa e:e|ey i:i|ee|y o:o|oo u:u|oo|uu "
    "v:v|w w:w|v sh:sh|s ph:ph|f f:f|ph z:z|j q:q|k kh:kh|k gh:gh|g bh:bh|b dh:dh|d th:th|t jh:jh|j chh:chh|ch ch:ch|c "
    "cch:cch|ch|c tt:tt|t kk:kk|k ss:ss|s ll:ll|l"
)
"""Hindi, Urdu and Bengali as typed with Latin letters, typed otherwise: no school teaches how, so everybody differs."""
DEVANAGARI_WORDS: Final[Spellings] = _table(
    "है:hai|h|he हैं:hain|hai|h में:mein|me|m नहीं:nahi|nhi|nahin क्या:kya|kia क्यों:kyun|kyu|kyo और:aur|or "
    "यह:yeh|ye|yah ये:ye|yeh वह:woh|wo|vo वो:wo|vo हूँ:hu|hoon|hun हूं:hu|hoon|hun मैं:main|mai|me तुम:tum|tm "
    "आप:aap|ap हम:hum|ham पर:par|pr को:ko का:ka की:ki के:ke से:se तो:to|toh भी:bhi|b ही:hi न:na|n ना:na लोग:log "
    "कहाँ:kahan|kaha यहाँ:yahan|yaha वहाँ:wahan|waha अच्छा:acha|accha|achha बहुत:bahut|bohot|bhot कर:kar|kr "
    "रहा:raha|rha रही:rahi|rhi रहे:rahe|rhe गया:gaya|gya मत:mat|mt सब:sab|sb सबको:sabko अपने:apne अपना:apna|apnaa "
    "मुझे:mujhe|muje"
)

KANA: Final[Spellings] = _table(
    "あ:a い:i う:u え:e お:o か:ka き:ki く:ku け:ke こ:ko さ:sa し:shi|si す:su せ:se そ:so た:ta ち:chi|ti "
    "つ:tsu|tu て:te と:to な:na に:ni ぬ:nu ね:ne の:no は:ha ひ:hi ふ:fu|hu へ:he ほ:ho ま:ma み:mi む:mu め:me "
    "も:mo や:ya ゆ:yu よ:yo ら:ra り:ri る:ru れ:re ろ:ro わ:wa ゐ:i ゑ:e を:wo|o ん:n|nn が:ga ぎ:gi ぐ:gu げ:ge "
    "ご:go ざ:za じ:ji|zi ず:zu ぜ:ze ぞ:zo だ:da ぢ:ji|di づ:zu|du で:de ど:do ば:ba び:bi ぶ:bu べ:be ぼ:bo ぱ:pa "
    "ぴ:pi ぷ:pu ぺ:pe ぽ:po ゔ:vu ぁ:a ぃ:i ぅ:u ぇ:e ぉ:o ゃ:ya ゅ:yu ょ:yo ゎ:wa ゕ:ka ゖ:ke っ:tsu 、:, 。:. "
    '！:! ？:? 「:" 」:" 〜:~ ～:~ ・:- きゃ:kya きゅ:kyu きょ:kyo しゃ:sha|sya しゅ:shu|syu しょ:sho|syo しぇ:she '
    "ちゃ:cha|tya ちゅ:chu|tyu ちょ:cho|tyo ちぇ:che にゃ:nya にゅ:nyu にょ:nyo ひゃ:hya ひゅ:hyu ひょ:hyo みゃ:mya "
    "みゅ:myu みょ:myo りゃ:rya りゅ:ryu りょ:ryo ぎゃ:gya ぎゅ:gyu ぎょ:gyo じゃ:ja|zya|jya じゅ:ju|zyu|jyu "
    "じょ:jo|zyo|jyo じぇ:je びゃ:bya びゅ:byu びょ:byo ぴゃ:pya ぴゅ:pyu ぴょ:pyo ふぁ:fa ふぃ:fi ふぇ:fe ふぉ:fo "
    "てぃ:ti|thi でぃ:di|dhi とぅ:tu どぅ:du うぃ:wi うぇ:we うぉ:wo つぁ:tsa ゔぁ:va ゔぃ:vi ゔぇ:ve ゔぉ:vo"
)
#: Words that are written with Chinese characters, with the one reading they nearly always have in such posts.
JAPANESE_WORDS: Final[Spellings] = _table(
    "私:watashi 僕:boku 俺:ore 君:kimi 彼:kare 彼女:kanojo 彼ら:karera 人:hito 人間:ningen 女:onna 男:otoko "
    "女性:josei 男性:dansei 子供:kodomo 今日:kyou|kyo 明日:ashita 昨日:kinou|kino 今:ima 毎日:mainichi 日本:nihon "
    "日本人:nihonjin 外国人:gaikokujin 中国人:chuugokujin|chugokujin 韓国人:kankokujin 黒人:kokujin 白人:hakujin "
    "奴:yatsu 奴ら:yatsura 全部:zenbu 全員:zen'in|zenin 本当:hontou|honto 大好き:daisuki 大嫌い:daikirai 好き:suki "
    "嫌い:kirai 国:kuni 家:ie 学校:gakkou|gakko 仕事:shigoto 友達:tomodachi 先生:sensei 世界:sekai 社会:shakai "
    "問題:mondai 頭:atama 顔:kao 目:me 心:kokoro 言う:iu 言って:itte 思う:omou 思って:omotte 見る:miru 見て:mite "
    "来る:kuru 来て:kite 行く:iku 行って:itte 帰れ:kaere 消えろ:kiero 死ね:shine 殺す:korosu 殺せ:korose "
    "気持ち悪い:kimochiwarui 馬鹿:baka 最低:saitei 最高:saikou|saiko 普通:futsuu|futu 一緒:issho 一人:hitori "
    "何:nani 何も:nanimo 誰:dare 誰も:daremo 自分:jibun 虫:mushi 犬:inu 猫:neko 豚:buta 猿:saru"
)
