"""Do two questions ask the same, so that the same words answer both?

Nearness does not tell: "delivery to Norway" is nearer to "delivery to Sweden" than to "what do you charge for sending
it to Norway". So both must be made of the same words of content, up to the synonyms below, ask for the same kind of
thing (how long, how much, when, who), and agree in their figures and denials; nearness is asked for on top of that.
What is refused here is answered from the documents like any other question.
"""

import functools
import re

from bot import lexical
from bot.claims import denial, facts

# Measured with three pins an intent and 3,000 other questions: banking77 85 right and 1 wrong, clinc150 89 and 3 (by
# cosine alone 1,093 and 182, 728 and 52). Of 8,553 near pairs in squad2 6 are taken for the same, half of them wrongly.
# On the sample company, of our own 66 of 139 paraphrases that keep most words, 5 of 96 that keep few, none of 433 that
# differ in one thing. To accept more words left over (on both sides, at .85) wins 2 paraphrases and 88 pairs of squad2.
LEAST_COSINE = 0.75

# What is asked for, whatever it is asked of, and expressions of several words; read from top to bottom.
_PHRASES = [
    (re.compile(rf"\b(?:{pattern})\b", re.I), f" {meaning} ")
    for pattern, meaning in (
        (
            r"(?:send|sends|sending|bring|bringing|give|giving|take|taking|post|posting)((?:\s\w+){0,4}?) back",
            r"return\1",
        ),
        (r"(?:run|runs|running) out", "expire"),
        (r"(?:pick|picks|picking)((?:\s\w+){0,2}?) up", r"collect\1"),
        (r"get in touch with|get hold of|reach out to|talk to|speak to|speak with", "contact"),
        (r"click (?:&|and) collect", "clickcollect"),
        (r"(?:time limit|deadline) (?:for|to)", "asklong"),
        (
            r"(?:for |within |in )?(?:how long|how (?:many|much) (?:time|minutes|hours|days|weeks|months|years))",
            "asklong",
        ),
        (r"until when|till when|(?:until|till|by) what (?:time|day|date)", "asklong"),
        (r"how (?:much|expensive)|(?:at )?what price|(?:what|which) (?:price|charge|fee|amount)s?", "cost"),
        (r"(?:at |by )?(?:what|which) (?:time|date|day|point)|how soon", "askwhen"),
        (r"how (?:heavy|many (?:kilos?|grams?|kg))", "weight"),
        (r"how (?:hot|warm|cold)", "temperature"),
        (r"how (?:big|large)", "size"),
        (r"(?:from )?(?:how old|what age)|minimum age", "age"),
        (r"(?:what(?:'s|’s| is| are) )?(?:the )?(delivery|shipping|waiting|processing|repair) times?", r"asklong \1"),
        (r"in may", "maymonth"),
        (r"how (?:far|often|many|high|deep|fast|quickly|wide|tall)", r"ask\g<0>"),
        (r"when", "askwhen"),
        (r"where", "askwhere"),
        (r"who|whose|whom", "askwho"),
        (r"why", "askwhy"),
        (r"(?:have|has|had|need|needs) to|must|ought to", "must"),
    )
]
_SYNONYMS = {
    lexical.stem(word): lexical.stem(group.split()[0])
    for group in (
        "return returns",
        "delivery deliver shipping ship shipment postage dispatch",
        "send sent post mail",
        "cost price charge fee pay paid payment spend expensive rate",
        "expire expiry validity valid good",
        "buy bought purchase",
        "order orders",
        "rent hire rental",
        "repair fix mend",
        "weight weigh heavy",
        "temperature hot",
        "open opening",
        "close shut closing",
        "shop store branch",
        "guarantee warranty",
        "phone telephone",
        "bill invoice",
        "cancel cancellation",
        "change edit modify alter",
        "delete remove",
        "use operate",
        "must need necessary required require",
        "maximum largest highest biggest most",
        "minimum smallest lowest least",
        "begin start",
        "refund reimburse reimbursement",
        "receive obtain",
        "lose lost",
        "break broken broke",
        "find found",
        "give gave given",
        "write wrote written",
        "sell sold",
        "choose chose chosen",
        "other another different",
        "arrive come came",
        "replace replacement",
        "mistake error",
        "account profile",
        "help assistance support",
        "cover covered",
        "keep hold store stored kept",
        "indoors inside",
        "outdoors outside",
    )
    for word in group.split()
}
# What carries a question without being part of what it asks.
_KINDS = {"asklong", "askwhen", "askwhere", "askwho", "askwhy", "cost"}
_FILLERS = frozenset(
    map(
        lexical.stem,
        """
        please tell say know like want wish love possible able allowed permitted let hi hello hey dear thanks thank
        question wonder wondering ask exactly actually really just still ok okay something anything thing things stuff
        item items got get gets getting make made go going do there one ones normal take takes way
        currently now may might but already been
        """.split(),
    )
)
# A letter after one of these is a name ("zone B", "size m"), and not a piece of "I'm" or an article.
_LETTER = re.compile(r"\b(?:zone|size|type|class|group|level|model|category|option|plan)s?\s+([a-z])\b", re.I)
_TO, _FROM = (re.compile(rf"\b{way} (?:(?:the|our|your|a) )?(\w+)") for way in ("to", "from"))
_WAY = re.compile(r"\bhow (?:do|does|did|can|could|may|must|should|would|to|is|are)\b", re.I)
_THING = re.compile(r"\b(?:what|which)\b", re.I)
_OPEN = re.compile(r"\b(?:what|which|how|when|where|who|whom|whose|why)\b", re.I)


def asks_the_same(known: str, asked: str, cosine: float) -> bool:
    """Whether a question asks what a known one asks; `cosine` is that of their embeddings."""
    if cosine < LEAST_COSINE:
        return False
    one, other = _meaning(known), _meaning(asked)
    return (
        sorted(one) == sorted(other)
        and not _KINDS.issuperset(one)
        and not _exchanged(one, other)
        and not _turned(known, asked)
        and not (_asks_a_way(known) and _asks_a_thing(asked))
        and not (_asks_a_thing(known) and _asks_a_way(asked))
        and _same_figures(known, asked)
        and denial.agree(known, asked)
        and denial.agree(asked, known)
    )


@functools.lru_cache(maxsize=4096)
def _meaning(question: str) -> tuple[str, ...]:
    """What a question is made of, in its order: stems of content, synonyms as one, and what kind of thing it asks."""
    text = question
    for pattern, meaning in _PHRASES:
        text = pattern.sub(meaning, text)
    stems = [_SYNONYMS.get(stem, stem) for stem in lexical.stems(facts.without(text)) if len(stem) > 1]
    ignored = set(_FILLERS)
    if "expir" in stems:
        ignored |= {"asklong", "askwhen"}
    if _OPEN.search(question):
        ignored.add("must")  # "May I?" is not "Must I?", but "What may I?" and "What do I have to?" are near enough
    return (*(stem for stem in stems if stem not in ignored), *(f"={one.lower()}" for one in _LETTER.findall(question)))


def _exchanged(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """Whether two words have changed places and all others stand where they stood: "from Oslo to Bergen"."""
    mine, its = ([word for word in words if word not in _KINDS] for words in (one, other))
    elsewhere = [place for place, (a, b) in enumerate(zip(mine, its, strict=False)) if a != b]
    return len(mine) == len(its) > 3 and len(elsewhere) == 2


def _turned(one: str, other: str) -> bool:
    """Whether what one goes to is what the other comes from."""
    (to, out_of), (its_to, its_out_of) = ([set(ends) for ends in _ends(question)] for question in (one, other))
    return bool(to & its_out_of or out_of & its_to)


def _asks_a_way(question: str) -> bool:
    return _WAY.search(question) is not None


def _asks_a_thing(question: str) -> bool:
    """What or which, and not how."""
    return _THING.search(question) is not None and not _asks_a_way(question)


def _ends(question: str) -> tuple[list[str], list[str]]:
    lower = question.lower()
    return _TO.findall(lower), _FROM.findall(lower)


def _same_figures(one: str, other: str) -> bool:
    mine, its = facts.figures(one), facts.figures(other)
    return all(any(a.agrees(b) for b in its) for a in mine) and all(any(b.agrees(a) for a in mine) for b in its)
