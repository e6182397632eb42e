"""Names and other slots of the grammar: each slot gives tagged tokens, [(word, tag), ...].

The tags follow the conventions of the Groningen Meaning Bank as its Kaggle edition shows them:
titles belong to the person (`Mr. Wells`, `President Ana Costa`), a people or its adjective is gpe,
a country, town or landscape is geo, weekdays, dates, months and years are tim, a team, firm, party,
paper, court or university is org; an article in front of a name stays outside of it.
"""

import re

SMALL_NUMBERS = "two three four five six seven eight nine ten eleven twelve".split()
HOLD_OUT_EVERY = 6  # every sixth entry of a list stands in the valid and test parts only


def read_lists(path):
    """`name: entry, entry` and indented lines that continue it, as {name: [entry, ...]}."""
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    text = "".join(line for line in lines if not line.startswith("#"))
    lists = {}
    for name, body in re.findall(r"^(\w+):(.*(?:\n[ ]+.*)*)", text, re.M):
        lists[name] = [" ".join(entry.split()) for entry in body.split(",") if entry.strip()]
    return lists


def entity(text, kind):
    """The words of `text` as one entity: B- on the first, I- on the others."""
    words = text.split()
    return [(w, ("I-" if i else "B-") + kind) for i, w in enumerate(words)]


def the(text, kind):
    """A name with its article, which is not part of it."""
    return [("the", "O"), *entity(text, kind)]


class Names:
    """Draws slots. `held` says whether the names that train must not show may be used."""

    HELD_LISTS = ("shared plain family her_given his_given city firm club land work_first "
                  "work_second ship craft storm operation virus country").split()
    HELD_SHARE = 0.17  # how often a part that may use held-out names asks for one

    def __init__(self, path, rng):
        self.rng = rng
        self.lists = read_lists(path)
        self.held_words = {word for name in self.HELD_LISTS
                           for entry in self.lists[name][HOLD_OUT_EVERY - 1::HOLD_OUT_EVERY]
                           for word in entry.split("=")[0].split()}
        self.start(held=False)

    def start(self, held):
        """A new sentence: nothing drawn yet; its persons are women or men."""
        self.held, self.seen, self.bound = held, set(), {}
        self.future, self.gender = False, self.rng.choice(("her", "his"))

    # --- choosing -------------------------------------------------------------------------------

    def is_held(self, entry):
        return any(word in self.held_words for word in entry.split("=")[0].split())

    def pick(self, name):
        """An entry of a list that this sentence has not used and its part may use."""
        entries = [e for e in self.lists[name] if e not in self.seen]
        known = [e for e in entries if not self.is_held(e)]
        fresh = [e for e in entries if self.is_held(e)]
        use_fresh = self.held and fresh and self.rng.random() < self.HELD_SHARE
        entry = self.rng.choice(fresh if use_fresh else known)
        self.seen.add(entry)
        return entry

    def often(self, *choices):
        """One of (weight, value) pairs."""
        weights, values = zip(*choices)
        return self.rng.weighted(weights, values)

    def slot(self, name):
        """The tokens of `{name}`, or of `{name=x}`: all slots with the same x share one word."""
        name, _, key = name.partition("=")
        if key:
            word = self.bound.setdefault(key, None) or self.pick("shared")
            self.bound[key] = word
            return entity(word, {"last": "per", "city": "geo"}.get(name, "org"))
        return getattr(self, name)()

    # --- persons --------------------------------------------------------------------------------

    def family_name(self):
        return self.pick(self.often((5, "shared"), (2, "plain"), (4, "family")))

    def full_name(self):
        middle = self.rng.choice("ABCDEFGHJKLMPRSTW") + ". " if self.rng.random() < 0.06 else ""
        return f"{self.pick(self.gender + '_given')} {middle}{self.family_name()}"

    def full(self): return entity(self.full_name(), "per")
    def given(self): return entity(self.pick(self.gender + "_given"), "per")
    def general(self): return entity("General " + self.family_name(), "per")
    def judge(self): return entity("Judge " + self.full_name(), "per")

    def last(self):
        return entity(self.pick(self.often((7, "shared"), (3, "plain"), (2, "family"))), "per")

    def titled(self):
        title = self.rng.choice(self.lists[self.gender + "_title"])
        if title in ("King", "Queen"):
            return entity(f"{title} {self.pick(self.gender + '_given')}", "per")
        long = title not in ("Mr.", "Ms.", "Mrs.") and self.rng.random() < 0.5
        return entity(f"{title} {self.full_name() if long else self.family_name()}", "per")

    # --- places ---------------------------------------------------------------------------------

    def town(self):
        return self.pick(self.often((4, "shared"), (5, "city")))

    def city(self): return entity(self.town(), "geo")

    def a_country(self, need=0):
        """[country, adjective, people]; `need` is the index of the form that must exist."""
        while True:
            forms = [form.strip() for form in self.pick("country").split("=")]
            if forms[need] != "-":
                return forms

    def country(self):
        name = self.a_country()[0]
        article = name in ("U.S.", "United States", "Philippines", "Netherlands")
        return the(name, "geo") if article else entity(name, "geo")

    def region(self):
        name = self.pick("region")
        return the(name, "geo") if name in self.lists["the_region"] else entity(name, "geo")

    def geo(self): return getattr(self, self.often((4, "city"), (4, "country"), (2, "region")))()
    def gpe(self): return entity(self.a_country(1)[1], "gpe")
    def gpes(self): return entity(self.a_country(2)[2], "gpe")
    def language(self): return entity(self.pick("language"), "gpe")

    def stem(self): return self.pick(self.often((2, "land"), (1, "shared")))
    def mount(self): return entity("Mount " + self.stem(), "geo")
    def island(self): return entity(self.stem() + " Island", "geo")

    def lake(self):
        form = self.rng.choice(("Lake {}", "{} Lake", "the {} River", "the {} Sea"))
        name = form.format(self.stem())
        return the(name[4:], "geo") if name.startswith("the ") else entity(name, "geo")

    def land(self):
        if self.rng.random() < 0.3:
            return entity(f"{self.stem()} {self.rng.choice(('County', 'Province', 'Bay'))}", "geo")
        return getattr(self, self.rng.choice(("mount", "lake", "island")))()

    # --- organisations --------------------------------------------------------------------------

    def firm(self):
        form = self.often((9, "shared"), (6, "own"), (5, "composed"), (1, "sons"), (1, "pair"))
        if form in ("shared", "own"):
            return entity(self.pick("firm" if form == "own" else "shared"), "org")
        if form == "sons":
            return entity(self.family_name() + " & Sons", "org")
        if form == "pair":
            return entity(f"{self.pick('shared')} and {self.family_name()}", "org")
        stem = self.pick(self.rng.choice(("firm", "shared")))
        return entity(f"{stem} {self.pick('firm_word')}", "org")

    def club(self):
        form = self.often((9, "shared"), (3, "club"), (6, "composed"))
        if form != "composed":
            return entity(self.pick(form), "org")
        return entity(f"{self.town()} {self.pick('club_word')}", "org")

    def bank(self):
        if self.rng.random() < 0.4:
            return the("Bank of " + self.a_country()[0], "org")
        return entity(self.pick(self.rng.choice(("shared", "firm"))) + " Bank", "org")

    def ministry(self):
        field = self.pick("field")
        if self.rng.random() < 0.3:
            return the("Ministry of " + field, "org")
        people = self.gpe() if self.rng.random() < 0.6 else []
        return [("the", "O"), *people, *entity(field + " Ministry", "org")]

    def univ(self):
        if self.rng.random() < 0.5:
            return the("University of " + self.town(), "org")
        kind = self.rng.choice(("University", "University", "College"))
        return entity(f"{self.town()} {kind}", "org")

    def party(self): return the(self.pick("party_word") + " Party", "org")
    def paper(self): return the(f"{self.town()} {self.pick('paper_word')}", "org")
    def group(self):
        name = self.pick("group")
        return the(name, "org") if " " in name else entity(name, "org")

    def acro(self):
        """Acronyms that are read as a word stand without an article."""
        name = self.pick("acronym")
        return entity(name, "org") if name in self.lists["spoken_acronym"] else the(name, "org")

    def body(self):
        return self.acro() if self.rng.random() < 0.35 else the(self.pick("body"), "org")

    def either(self):
        """A bare name of any of the three kinds, for frames that do not tell which."""
        return entity(self.pick("shared"), self.often((4, "per"), (4, "org"), (2, "geo")))

    # --- time -----------------------------------------------------------------------------------

    def day(self): return entity(self.pick("day"), "tim")
    def daytime(self): return entity(f"{self.pick('day')} {self.pick('part_of_day')}", "tim")
    def month(self): return entity(self.pick("month"), "tim")
    def year(self): return entity(self.a_year(), "tim")
    def month_year(self): return entity(f"{self.pick('month')} {self.a_year()}", "tim")
    def date(self): return entity(f"{self.pick('month')} {self.rng.randint(1, 30)}", "tim")

    def a_year(self):
        """After now where the sentence looks ahead, else mostly of the last decades."""
        if self.future:
            return str(self.rng.randint(2027, 2042))
        return str(self.often((3, self.rng.randint(1995, 2024)), (2, self.rng.randint(1921, 1994))))

    def date_full(self):
        day = self.rng.randint(1, 28)
        return entity(f"{self.pick('month')} {day} , {self.rng.randint(1921, 1999)}", "tim")

    def decade(self): return the(f"{self.rng.randint(192, 201)}0s", "tim")
    def decade_bare(self): return self.decade()[1:]
    def century(self): return entity(f"{self.rng.randint(11, 19)}th century", "tim")

    # --- events, works, nature ------------------------------------------------------------------

    def cup(self): return the(self.pick("cup"), "eve")
    def cup_bare(self): return entity(self.pick("cup"), "eve")
    def open(self): return entity(self.town() + " Open", "eve")
    def holiday(self): return entity(self.pick("holiday"), "eve")
    def operation(self): return entity("Operation " + self.pick("operation"), "eve")

    def war(self):
        name = self.pick("war")
        return entity(name, "eve") if name.startswith("World") else the(name, "eve")

    def work(self):
        first, second = self.pick("work_first"), self.pick("work_second")
        return entity(self.rng.choice((f"The {first} {second}", f"{first} {second}")), "art")

    def ship(self): return entity(self.pick("ship"), "art")
    def spacecraft(self): return entity(self.pick("craft"), "art")
    def prize(self): return entity(self.pick("prize"), "art")

    def stormname(self): return entity(self.pick("storm"), "nat")
    def virus(self): return entity(self.pick("virus"), "nat")

    def nat(self):
        kind = self.often((4, "Hurricane"), (1, "Typhoon"), (1, "Tropical Storm"))
        return entity(f"{kind} {self.pick('storm')}", "nat")

    # --- figures, which are no entities ---------------------------------------------------------

    def figure(self, text): return [(word, "O") for word in text.split()]
    def age(self): return self.figure(str(self.rng.randint(21, 97)))
    def level(self): return self.figure(self.rng.choice(("0-0", "1-1", "2-2", "3-3")))
    def mag(self): return self.figure(f"{self.rng.randint(5, 7)}.{self.rng.randint(0, 9)}")
    def money_small(self): return self.figure(f"$ {self.rng.randint(11, 980)}")
    def distance(self): return self.figure(self.rng.choice(("400 meters", "1,500 meters")))

    def score(self):
        loser = self.rng.randint(0, 3)
        return self.figure(f"{loser + self.rng.randint(1, 3)}-{loser}")

    def few(self): return self.figure(self.rng.choice(SMALL_NUMBERS))
    def category(self): return self.figure(str(self.rng.randint(2, 5)))
    def gust(self): return self.figure(str(self.rng.randint(9, 26) * 10))

    def num(self):
        large = str(self.rng.randint(13, 98))
        return self.figure(self.often((3, self.rng.choice(SMALL_NUMBERS)), (2, large)))

    def ordinal(self):
        words = "third fourth fifth sixth seventh eighth ninth tenth".split()
        return self.figure(self.rng.choice([*words, f"{self.rng.randint(14, 19)}th"]))

    def big(self):
        n = self.often((2, self.rng.randint(110, 990)), (3, self.rng.randint(11, 990) * 100))
        return self.figure(f"{n:,}")

    def money(self):
        amount = f"{self.rng.randint(1, 90)}.{self.rng.randint(1, 9)}"
        return self.figure(f"$ {amount} {self.often((4, 'million'), (1, 'billion'))}")

    def fortune(self):
        return self.figure(f"$ {self.rng.randint(1, 40)}.{self.rng.randint(1, 9)} million")

    def pct(self):
        amount = f"{self.rng.randint(1, 60)}.{self.rng.randint(1, 9)}"
        return self.figure(amount + self.often((4, " percent"), (1, " %")))
