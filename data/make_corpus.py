#!/usr/bin/env python3
"""Writes the embedded corpus: longhand.csv, longhand.csv.gz and longhand.split, beside this file.

    frames (grammar/templates.txt) → phrases filled in (grammar/phrases.txt)
        → names drawn (names.py) → tokens with tags
        → part-of-speech tags (pos_tags.py) → csv, gz, split

Same seed, same bytes. Every sixth frame, verb phrase and name is kept from the train part; the
valid and test parts mix both, so that a model is asked for what it cannot have memorised. No two
sentences are alike.
"""

import pathlib
import re
import struct
import zlib

from draws import Draws
from names import Names
from pos_tags import Tagger

HERE = pathlib.Path(__file__).resolve().parent
SEED = 1997
SENTENCES = {"train": 3600, "valid": 450, "test": 450}
SHORTEST, LONGEST = 4, 45
HOLD_OUT_EVERY = 6
HELD_FRAME_WEIGHT = 2  # valid and test draw a held-out frame this many times as often as another
# how often an open frame gets a source in front, else an introduction, an ending
SOURCE, LEAD, TAIL = 0.14, 0.20, 0.66

# Words by which a frame shows that it looks ahead (its years lie in the future), that it is not
# about the past (no "On Monday ," in front), that it names who says so (no second source).
FUTURE = set("will would plan plans begins opens go expect expects need needs want wants reopens "
             "resumes".split())
PRESENT = FUTURE | set("is are has have may lies makes says gives takes lasts costs leaves pay "
                       "know comes rests employs includes holds believe speak fear grow eat "
                       "make".split())
SAYING = set("said told according say says reported reports".split())
# "a" becomes "an" before these
AN = re.compile(r"(?!eu|uni|use|usa|one|once|ug|uk|u\.)[aeiou]|hour|honest", re.I)
PERSON = {
    "her": {"@he": "she", "@his": "her", "@him": "her", "@wife": "husband", "@son": "daughter"},
    "his": {"@he": "he", "@his": "his", "@him": "him", "@wife": "wife", "@son": "son"},
}


def read_rules(path):
    """{rule: [alternative, ...]}"""
    rules, current = {}, None
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("#") or not line.strip():
            continue
        if not line.startswith(" "):
            current = rules.setdefault(line.rstrip(":"), [])
        else:
            current.append(line.strip())
    return rules


def read_frames(path):
    """(frames for every part, frames held out of train), each frame as often as its weight says."""
    shared, held, single = [], [], 0
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("#") or not line.strip():
            continue
        weight, frame = re.fullmatch(r"(?:(\d+)\* )?(.*)", line).groups()
        single += weight is None
        if weight is None and single % HOLD_OUT_EVERY == 0:
            held.append(frame)
        else:
            shared += [frame] * int(weight or 1)
    return shared, held


def deal(deck, rng):
    """Frames without end, all of them before any comes again."""
    while True:
        yield from rng.shuffled(deck)


class Grammar:
    def __init__(self, rng):
        self.rng = rng
        self.names = Names(HERE / "grammar/names.txt", rng)
        self.rules = read_rules(HERE / "grammar/phrases.txt")
        self.tagger = Tagger(HERE / "grammar/lexicon.txt")

    def choose(self, rule, held):
        """An alternative of a rule; verb phrases have a held-out sixth too."""
        options = self.rules[rule]
        if rule.startswith("vp_") and not held:
            options = [o for i, o in enumerate(options, 1) if i % HOLD_OUT_EVERY]
        return self.rng.choice(options)

    def expand(self, text, held):
        """Replaces <rules> and [choices], innermost first, until only words and slots are left."""
        while True:
            if m := re.search(r"<(\w+)>", text):
                text = text[:m.start()] + self.choose(m[1], held) + text[m.end():]
            elif m := re.search(r"\[([^\[\]]*)\]", text):
                text = text[:m.start()] + self.rng.choice(m[1].split("|")) + text[m.end():]
            else:
                return text.split()

    def fill(self, pieces):
        """Words and slots → [(word, tag, part of speech or None), ...]."""
        out = []
        for piece in pieces:
            if m := re.fullmatch(r"\{([\w=]+)\}(\S*)", piece):
                tokens = self.names.slot(m[1])
                tokens[-1] = (tokens[-1][0] + m[2], tokens[-1][1])
                out += [(word, tag, None) for word, tag in tokens]
                continue
            piece = PERSON[self.names.gender].get(piece, piece)
            word, _, pos = piece.partition("/")
            out.append((word, "O", pos or None))
        return out

    def sentence(self, frame, held):
        """One tagged sentence: [(word, part of speech, tag), ...]."""
        self.names.start(held)
        pieces = self.expand(frame, held)
        self.names.future = bool(FUTURE & set(pieces))
        tokens = self.fill(pieces)
        if not {word for word, _, _ in tokens[-2:]} & set(".?"):
            tokens = self.wrap(tokens, held)
        return self.tagger.tag(finish(tokens))

    def wrap(self, body, held):
        """A source or an introduction, an ending, the full stop; only one of them says when."""
        words = {word for word, _, _ in body}
        timed = any(tag == "B-tim" for _, tag, _ in body)
        sourced = bool(SAYING & words)
        lead, tail, draw = [], [], self.rng.random()
        if draw < SOURCE and not sourced:
            return [*self.extra("source", timed, held), *body, (".", "O", ".")]
        if draw < SOURCE + LEAD:
            lead = self.extra("opening" if timed or words & PRESENT else "lead", timed, held)
        timed = timed or any(tag == "B-tim" for _, tag, _ in lead)
        if self.rng.random() < TAIL:
            tail = self.extra("rider" if sourced else "tail", timed, held)
        return [*lead, *body, *tail, (".", "O", ".")]

    def extra(self, rule, timed, held):
        """The words of a rule, without a time where the sentence already has one."""
        while True:
            tokens = self.fill(self.expand(f"<{rule}>", held))
            if not (timed and any(tag == "B-tim" for _, tag, _ in tokens)):
                return tokens


def finish(tokens):
    """`a` or `an`, doubled commas, and the capital at the start."""
    out = []
    for word, tag, pos in tokens:
        if out and word == "," and out[-1][0] == ",":
            continue
        if out and word == "." and out[-1][0] == ",":
            out.pop()
        if out and out[-1][0] == "a" and AN.match(word):
            out[-1] = ("an", *out[-1][1:])
        out.append((word, tag, pos))
    first = next(i for i, (word, *_) in enumerate(out) if word != '"')
    word = out[first][0]
    out[first] = (word[0].upper() + word[1:], *out[first][1:])
    return out


def make(rng):
    """[(part, sentence), ...] in file order, no two sentences alike."""
    grammar = Grammar(rng)
    shared, held = read_frames(HERE / "grammar/templates.txt")
    decks = {False: deal(shared, rng), True: deal(shared + held * HELD_FRAME_WEIGHT, rng)}
    corpus, known = [], set()
    for part, wanted in SENTENCES.items():
        made = 0
        while made < wanted:
            unseen = part != "train"
            sentence = grammar.sentence(next(decks[unseen]), unseen)
            words = tuple(word for word, _, _ in sentence)
            if words in known or not SHORTEST <= len(words) <= LONGEST:
                continue
            known.add(words)
            corpus.append((part, sentence))
            made += 1
    return rng.shuffled(corpus)


def field(text):
    """RFC 4180: quotes where a comma or a quote stands inside."""
    return '"' + text.replace('"', '""') + '"' if re.search('[",]', text) else text


def csv_bytes(corpus):
    """The layout of ner_dataset.csv, CRLF line ends included."""
    lines = ["Sentence #,Word,POS,Tag"]
    for n, (_, sentence) in enumerate(corpus, 1):
        for i, token in enumerate(sentence):
            lines.append(",".join(map(field, ("" if i else f"Sentence: {n}", *token))))
    return ("\r\n".join(lines) + "\r\n").encode("utf-8")


def split_bytes(corpus):
    """One line a part: its name, a tab, its sentence numbers from 0."""
    return "".join(
        part + "\t" + " ".join(str(n) for n, (p, _) in enumerate(corpus) if p == part) + "\n"
        for part in SENTENCES).encode("ascii")


def gzip_bytes(text):
    """gzip -9 with a header that holds no time, no name and no system: the same on every machine
    (as far as its zlib packs alike; what comes out of it is the same in any case)."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    body = packer.compress(text) + packer.flush()
    header = b"\x1f\x8b\x08" + bytes(5) + b"\x02\xff"
    return header + body + struct.pack("<LL", zlib.crc32(text), len(text) & 0xFFFFFFFF)


def build():
    """{file name: bytes}"""
    corpus = make(Draws(SEED))
    text = csv_bytes(corpus)
    return {"longhand.csv": text, "longhand.csv.gz": gzip_bytes(text),
            "longhand.split": split_bytes(corpus)}


if __name__ == "__main__":
    for name, content in build().items():
        (HERE / name).write_bytes(content)
        print(f"{name}: {len(content):,} bytes")
