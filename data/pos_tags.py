"""Penn Treebank tags for the corpus' words: a lexicon for the words that endings do not give away,
endings for the others, and a few rules of context where one form is two parts of speech.
"""

import re

ENDINGS = [
    (r"\d[\d,.-]*", "CD"), (r"\d+th", "JJ"), (r".+-(?:year|week)", "JJ"), (r".+ly", "RB"),
    (r".+ing", "VBG"), (r".+ed", "VBD"), (r".+(?:ss|us|is)", "NN"),
    (r".+(?:ous|ful|ive|able|ible|ical|less|ish)", "JJ"), (r".+s", "NNS"), (r".+", "NN"),
]
NOMINAL = {"DT", "PRP$", "JJ", "JJS", "JJR", "CD", "POS", "NNP"}
MODAL = {"MD", "TO"}
BE_OR_HAVE = set("is are was were be been has have had being".split())
SMALL = {"of": "IN", "for": "IN", "and": "CC", "&": "CC", ",": ",", "'s": "POS"}


def read_lexicon(path):
    """`TAG: word word ...` and indented lines that go on with it, as {word: tag}."""
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    text = "".join(line for line in lines if not line.startswith("#"))
    return {word: tag for tag, words in re.findall(r"^(\S+): (.*(?:\n[ ]+.*)*)", text, re.M)
            for word in words.split()}


class Tagger:
    def __init__(self, path):
        self.lexicon = read_lexicon(path)

    def tag(self, tokens):
        """[(word, entity tag, part of speech or None)] → [(word, part of speech, entity tag)]."""
        out = []
        for i, (word, tag, pos) in enumerate(tokens):
            after = tokens[i + 1][0] if i + 1 < len(tokens) else ""
            if pos is None:
                pos = self.name(word, tag, after) if tag != "O" else self.word(word, out, after)
            out.append((word, pos, tag))
        return out

    def name(self, word, tag, after):
        """A word inside an entity."""
        if word in SMALL:
            return SMALL[word]
        if re.fullmatch(r"\d{4}s", word):
            return "NNS"
        if re.fullmatch(r"\d+th", word):
            return "JJ"
        if word[0].isdigit():
            return "CD"
        if tag.endswith("tim") and word.islower():
            return "NN"
        if tag.endswith("gpe"):
            plural = word.endswith("s") and self.lexicon.get(word) != "JJ"
            return "NNPS" if plural else "JJ"
        return "NNP"

    def word(self, word, before, after):
        """A word outside of entities."""
        word = word.lower() if not before or before[-1][0] == '"' else word
        pos = self.lexicon.get(word) or next(t for e, t in ENDINGS if re.fullmatch(e, word))
        last = before[-1][1] if before else ""
        near = [w.lower() for w, _, _ in before[-3:]]
        if pos == "VB|VBD|VBN" and last in MODAL:
            return "VB"
        if pos in ("VBD", "VB|VBD|VBN", "VBD|VBN"):
            return "VBN" if BE_OR_HAVE & set(near) or after == "by" else "VBD"
        if pos == "NN|VB":
            return "VB" if last in MODAL or last in ("PRP", "WP") else "NN"
        if pos == "NN|VBD":
            return "NN" if not before or last in NOMINAL | {"IN", "``"} - {"NNP"} else "VBD"
        if word == "that":
            return "IN" if last[:2] in ("VB", "RB") else "WDT" if last[:2] == "NN" else "DT"
        if word == "there" and after in (".", ","):
            return "RB"
        if pos == "POS|VBZ":
            return "POS" if last.startswith("NN") else "VBZ"
        if pos == "VBG" and last in ("DT", "JJ", "PRP$"):
            return "NN"
        if pos == "VB" and last not in MODAL and last in ("PRP", "NNS", "WP"):
            return "VBP"
        return pos
