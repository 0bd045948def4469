"""Questions that a text answers, changed so that it only seems to: another name, another number, the opposite.

These are the commonest ways in which SQuAD 2.0's unanswerable questions were made (Rajpurkar et al. 2018, table 2):
swapped entities and antonyms. Negations are left out: a customer who asks what is not covered wants an answer.
"""

import random
import re
from collections.abc import Iterator, Sequence

_PAIRS = """
first last; before after; most least; largest smallest; biggest smallest; highest lowest; oldest newest; longest
shortest; earliest latest; greatest smallest; best worst; more fewer; higher lower; larger smaller; older younger;
longer shorter; earlier later; greater lesser; better worse; increase decrease; increased decreased; increasing
decreasing; rise fall; rose fell; win lose; won lost; winner loser; begin end; began ended; start stop; started stopped;
open close; opened closed; enter leave; entered left; arrive depart; arrived departed; north south; northern southern;
east west; eastern western; male female; men women; man woman; boy girl; king queen; father mother; son daughter;
brother sister; husband wife; above below; over under; high low; old new; long short; large small; big small; strong
weak; hot cold; hard soft; rich poor; public private; internal external; upper lower; with without; allow forbid;
allowed forbidden; import export; imported exported; buy sell; bought sold; always never; accept reject; accepted
rejected; support oppose; supported opposed; positive negative; add remove; added removed; minimum maximum; majority
minority; early late; modern ancient; urban rural; domestic foreign; natural artificial; rare common; common uncommon;
created destroyed; create destroy; built demolished; gained lost; joined left; ally enemy; allies enemies; agreed
disagreed; succeed fail; succeeded failed; success failure; advantage disadvantage; include exclude; included excluded;
military civilian; senior junior; primary secondary; major minor; legal illegal; known unknown; similar different;
"""
OPPOSITES = {
    one: other for pair in _PAIRS.split(";") if pair.strip() for one, other in (pair.split(), pair.split()[::-1])
}
_WORD = re.compile(r"[A-Za-z]+")
_NUMBER = re.compile(r"\b\d[\d,.]*\b")
_NAME = re.compile(r"(?<=[a-z,] )[A-Z][\w\'-]+(?: [A-Z][\w\'-]+)*")


def question(asked: str, text: str, others: Sequence[str], chance: random.Random) -> str | None:
    """The question, which `text` answers, changed in one place; a name or number comes from `others`, texts on the same
    subject, and is not in this one. None where nothing can be changed."""
    ways = [*_swapped(_NAME, asked, text, others, chance), *_swapped(_NUMBER, asked, text, others, chance)]
    ways += [
        asked[: word.start()] + OPPOSITES[word[0]] + asked[word.end() :]
        for word in _WORD.finditer(asked)
        if word[0] in OPPOSITES and OPPOSITES[word[0]] not in text.lower().split()
    ]
    return chance.choice(ways) if ways else None


def _swapped(
    kind: re.Pattern[str], asked: str, text: str, others: Sequence[str], chance: random.Random
) -> Iterator[str]:
    """The question with one of its names or numbers that the text has exchanged for one that it has not."""
    for match in kind.finditer(asked):
        if match[0] not in text:
            continue
        found = kind.findall(chance.choice(others))
        if strange := [one for one in found if one not in text and one not in asked]:
            yield asked[: match.start()] + chance.choice(strange) + asked[match.end() :]
