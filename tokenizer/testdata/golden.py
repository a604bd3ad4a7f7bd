"""Writes texts and their ids, as Hugging Face `tokenizers` has them.

    python golden.py ALL_MINILM_DIR WORDNET_CALIBRATION_TXT OUT_DIR

Four tokenizers: that of all-MiniLM-L6-v2 (vocabulary of bert-base-uncased,
Apache 2.0), a cased one trained here on WordNet, the same vocabulary with
unusual settings and added tokens of every kind, and a Chinese one. OUT_DIR
receives minilm-vocab.txt.gz, cased.json, unusual.json, chinese.json and
texts.jsonl: {"text": ..., "minilm": [ids], "cased": [ids], ...}. Needs
tokenizers 0.23.3; nothing is downloaded.
"""

import gzip
import json
import random
import sys
from pathlib import Path

from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]

CHINESE = """
今天天气很好，我们去公园散步吧。 机器学习是人工智能的一个分支。 北京是中华人民共和国的首都，上海是最大的城市。
他说：“学而时习之，不亦说乎？”有朋自远方来，不亦乐乎！ 这本书的价格是３５元，比那本便宜。 我喜欢喝茶，也喜欢喝咖啡。
电脑和手机改变了人们的生活方式。 长江是中国最长的河流，黄河是第二长的河流。 请把窗户打开，房间里太热了。
科学家发现了一颗新的行星。 春天来了，花都开了。 他在大学里学习数学和物理。 我们明天下午三点在图书馆见面。
"""

WORLD = [
    "The quick brown fox jumps over the lazy dog.",
    "Voix ambiguë d'un cœur qui, au zéphyr, préfère les jattes de kiwis",
    "Falsches Üben von Xylophonmusik quält jeden größeren Zwerg; STRASSE straße ẞ",
    "Příliš žluťoučký kůň úpěl ďábelské ódy",
    "Pijamalı hasta yağız şoföre çabucak güvendi. İSTANBUL Iğdır ı i̇",
    "Ξεσκεπάζω την ψυχοφθόρα βδελυγμία. ΟΔΥΣΣΕΥΣ ὈΔΥΣΣΕΎΣ ΣΑΣ ᾼ ᾳ",
    "Съешь же ещё этих мягких французских булок, да выпей чаю. Ѐ Й ё",
    "דג סקרן שט בים מאוכזב ולפתע מצא חברה שָׁלוֹם",
    "نص حكيم له سر قاطع وذو شأن عظيم مكتوب على ثوب أخضر ومغلف بجلد أزرق السَّلَامُ عَلَيْكُمْ",
    "ऋषियों को सताने वाले दुष्ट राक्षसों के राजा रावण का सर्वनाश करने वाले विष्णुवतार भगवान श्रीराम",
    "เป็นมนุษย์สุดประเสริฐเลิศคุณค่า",
    "다람쥐 헌 쳇바퀴에 타고파 각 갂 힣 각 ㄱㅏ",
    "いろはにほへと ちりぬるを ガギグゲゴ が か゛ ﾊﾟｿｺﾝ ＡＢＣ",
    "我想在apple工作1314151天～ 𠀀𠀁 豈更 㐀 𫠠 〇 々",
    "កាន់តែពិសេសអាច😁 ?我想在apple工作",
    "Zażółć gęślą jaźń ŁÓDŹ",
    "Đây là tiếng Việt: Ưu điểm ở Hà Nội ấy",
    "Þórður ÆÐI æði Ø å Å Å",
    "ქართული Ⴀ Ა ა",
    "ᏣᎳᎩ ꭰ Ꭰ",
    "mañana mañana MAÑANA",
]

HANDMADE = [
    "", " ", "   ", "\t", "\n", "\r\n", "\x00", "\x00a\x00b", "\ufeffbom", "a\ufeffb", "\ufffd", "a\ufffdb",
    "[MASK]", "[mask]", " [MASK] ", "a[MASK]b", "[MASK][MASK]", "[[MASK]]", "[CLS] a [SEP]", "[CLS][SEP]", "[UNK] [PAD]",
    "[ MASK ]", "[MA\u0000SK]", "[MASK", "MASK]", "[MÁSK]", "the capital of France is [MASK].", "[unused1] [unused99]", "##ing ##", "#", "# #", "###ing",
    "a" * 99, "a" * 100, "a" * 101, "a" * 1000, "é" * 100, "é" * 101, "e\u0301" * 100, "e\u0301" * 101, "😀" * 100, "😀" * 101,
    "a" * 100 + "\u0301", "x" * 101 + " y " + "x" * 100, "中" * 200, "각" * 40, "각" * 33 + "가", "." * 150,
    "don't can't I'll we've it's O'Neill's", "e-mail co-operate U.S.A. 3.14 1,000,000 $5.99 50% 10^3 a_b c/d \\ ~ ` | <tag>",
    "“smart” ‘quotes’ — dash – dash … ellipsis • bullet · dot ¿qué? ¡sí! « guillemets » ‹ ›", "¶ § † ‡ ‰ ′ ″ ‴ ※ ‼ ⁇",
    "€100 £5 ¥7 ₹8 ₿9 ¢", "a©b a®b a™b a°b ½ ¼ ² ³ ¹ ª º µ ß ſ", "ﬁ ﬂ ﬀ ﬃ ﬄ ﬅ ﬆ Ǆ ǅ ǆ Ĳ ŉ", "Ⅷ ⅷ Ⓐ ⓐ ㎏ ℡ ℻ Ω K Å ℵ",
    "\u00a0nbsp\u00a0", "a\u00adb soft\u00adhyphen", "zero\u200bwidth", "zero\u200cwidth", "zero\u200djoiner", "word\u2060joiner", "a\u200eb\u200fc\u202ad\u202ce",
    "\u2028line\u2029paragraph", "en\u2002em\u2003thin\u2009hair\u200a", "ideo\u3000graphic", "\u0085nel", "a\u0085b", "\x1c\x1d\x1e\x1f", "a\x0bb\x0cc", "\x7fdel", "\x1b[31mred\x1b[0m",
    "👨‍👩‍👧‍👦", "🏳️‍🌈", "👍🏽", "🇩🇪🇫🇷", "❤️", "☺︎", "1️⃣", "#️⃣", "😶‍🌫️", "🦙🦙", "\U0001f9ff\U0001fae0", "\U000e0067\U000e0062",
    "\ue000private\uf8ff", "\U000f0000\U0010ffff", "\ufdd0\ufffe\uffff", "\u0378\u0379 unassigned \u0870\u0890", "\u1c89\ua7cb\ua7ce\U00010d50\U00016ea0",
    "a\u0301\u0327\u0302", "q\u0307\u0323", "q\u0323\u0307", "\u0301", "\u0301a", " \u0301 ", "Z\u0336\u0321a\u0334l\u0321g\u0334o\u0335",
    "\u302e\u302f\u302e", "a\u302e\u1b44b", "a\u1b44\u302eb", "a\u302e\u0300\u1b44b", "a\u302e\u0301\u0901\u1b44b", "a\u302e\u034f\u1b44b", "a\u302e\x01\u1b44b", "\U0001d15f\U0001d165\U0001d16e", "\U0001d160\u0301\U0001d165",
    "\U0001e000\u0301\U0001e023", "\U0001e94a\U0001e944", "\u0344", "\u0958\u0959", "\u0f73\u0f75\u0f81", "\U00011938", "\U000113c5", "\u2adc",
    "İ", "I", "ı", "i", "İİ", "ẞ", "ß", "ΣΣΣ", "Σ", "ς", "ŐŰ", "Å", "Ⱥ Ⱦ", "ǅ", "ᾈ", "ÿŸ", "Ÿ", "ŐŰőű",
    "Hello, World!", "HELLO WORLD", "hElLo", "camelCaseIdentifier", "snake_case_identifier", "http://www.example.com/path?query=1&b=2#frag", "user@example.com",
    "def f(x):\n\treturn x**2  # square\n", '{"key": [1, 2.5, null, true]}', "<html><body>&nbsp;</body></html>", "C:\\Windows\\System32",
    "2024-01-31T23:59:59Z", "+1 (555) 123-4567", "١٢٣ ۴۵۶ १२३ 一二三 ①②③", "antidisestablishmentarianism pneumonoultramicroscopicsilicovolcanoconiosis",
    "supercalifragilisticexpialidocious", "Donaudampfschifffahrtsgesellschaftskapitän", "aaaaaaaaaaaaaaaaaaaaaaaa", "xqzjk vwxyz", "🤷 mixed中文and英文text",
    "foo", "Foo", "FOO", "foobar", "foobarbaz", "a foobar b", "xfoobar", "foobar_", "foobar\u0301", "foo bar", "<X>", " <X> ", "a  <X>  b", "\u3000<X>\u00a0", "<x>", "<X><X>", "<X> <X>",
    "[ENT]", "a[ENT]", "a [ENT] b", "[ENT]1", "[ENT]é", "[ENT]-", "[ENT]\u200d", "été", "ÉTÉ", "e\u0301te\u0301", "x y z", "x  y  z", "xyz", "  ", "a  b", "a   b", "a    b", "中文", "中 文", "aab", "aabc", "caab", "aaab", "aa", "e", "te", "e e", "-e-",
]


def pipeline(vocab, template=True, max_chars=100, **settings):
    t = Tokenizer(models.WordPiece(vocab, unk_token="[UNK]", max_input_chars_per_word=max_chars))
    t.normalizer = normalizers.BertNormalizer(**settings)
    t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    t.add_special_tokens(SPECIAL)
    if template:
        t.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1",
            special_tokens=[(s, vocab[s]) for s in ("[CLS]", "[SEP]")],
        )
    return t


def train_cased(lines):
    t = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    t.normalizer = normalizers.BertNormalizer(lowercase=False)
    t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(vocab_size=1600, special_tokens=SPECIAL, show_progress=False, limit_alphabet=300)
    t.train_from_iterator(lines + WORLD + HANDMADE, trainer)
    return t.get_vocab()


def chinese_vocab():
    chars = sorted({c for c in CHINESE if not c.isspace()})
    tokens = SPECIAL + chars + ["##" + c for c in chars] + list("abcdefghijklmnopqrstuvwxyz") + ["##" + c for c in "abcdefghijklmnopqrstuvwxyz0123456789"]
    return {t: i for i, t in enumerate(dict.fromkeys(tokens))}


def unusual(vocab):
    t = pipeline(vocab, template=False, max_chars=12, clean_text=False, handle_chinese_chars=False, strip_accents=False, lowercase=True)
    t.add_tokens([
        AddedToken("Foo"), AddedToken("foobar", single_word=True),
        AddedToken("<X>", lstrip=True, rstrip=True, normalized=False, special=True),
        AddedToken("[ENT]", single_word=True, normalized=False), AddedToken("ÉT"),
        AddedToken(" y ", normalized=False, rstrip=True), AddedToken("z", lstrip=True, single_word=True),
        AddedToken("中文"), AddedToken("aa", normalized=False, special=True), AddedToken("aab", single_word=True, normalized=False),
        AddedToken("  ", normalized=False), AddedToken("e", normalized=False, single_word=True, special=True),
    ])
    t.post_processor = processors.BertProcessing(("[SEP]", vocab["[SEP]"]), ("[MASK]", vocab["[MASK]"]))
    return t


def mixtures(lines, n):
    rnd = random.Random(20240131)
    words = " ".join(lines).split()
    points = [c for c in range(0x30000) if not 0xD800 <= c < 0xE000]
    pools = [
        lambda: rnd.choice(words) + " ", lambda: rnd.choice(words).upper(), lambda: chr(rnd.randrange(0x20, 0x7F)), lambda: chr(rnd.randrange(0x250)),
        lambda: chr(rnd.randrange(0x300, 0x370)), lambda: chr(rnd.randrange(0x1000)), lambda: chr(rnd.randrange(0x3000, 0xA000)), lambda: chr(rnd.randrange(0xAC00, 0xD7A4)),
        lambda: chr(rnd.choice(points)), lambda: rnd.choice(HANDMADE)[:20], lambda: rnd.choice(["[MASK]", "foobar", "<X>", " ", "\n", "é", "e"]),
    ]
    for _ in range(n):
        chosen = rnd.sample(pools, rnd.randrange(1, 5))
        yield "".join(rnd.choice(chosen)() for _ in range(rnd.randrange(1, 16)))


def main(minilm, calibration, out):
    lines = calibration.read_text(encoding="utf-8").splitlines()
    vocab = (minilm / "vocab.txt").read_bytes()
    (out / "minilm-vocab.txt.gz").write_bytes(gzip.compress(vocab, 9, mtime=0))
    cased = train_cased(lines[:3000])
    tokenizers = {
        "minilm": Tokenizer.from_file(str(minilm / "tokenizer.json")),
        "cased": pipeline(cased, lowercase=False),
        "unusual": unusual(cased),
        "chinese": pipeline(chinese_vocab()),
    }
    tokenizers["minilm"].no_truncation()
    tokenizers["minilm"].no_padding()
    for name, t in tokenizers.items():
        if name != "minilm":
            (out / (name + ".json")).write_text(json.dumps(json.loads(t.to_str()), separators=(",", ":"), ensure_ascii=False) + "\n", encoding="utf-8")
    texts = HANDMADE + WORLD + CHINESE.split("\n") + lines[:60] + list(mixtures(lines, 250))
    with open(out / "texts.jsonl", "w", encoding="ascii") as f:
        for text in dict.fromkeys(texts):
            row = {"text": text} | {name: t.encode(text).ids for name, t in tokenizers.items()}
            f.write(json.dumps(row, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:4]))
