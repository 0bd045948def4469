"""Makes true sentences false in one place, by seed: one number, date, name or denial exchanged, as a model would mix
them up. It reads texts by patterns of its own, so that what the verification overlooks it does not overlook, too."""

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

KINDS = ("number", "date", "name", "negation")
# Not asked for by name, but what else goes wrong: two facts exchanged with each other, one word by another of the text.
FURTHER_KINDS = ("roles", "word")

_MONTHS = "January February March April June July August September October November December".split()
_DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
_NUMBER_WORDS = "two three four five six seven eight nine ten eleven twelve twenty thirty fifty".split()
_YEAR = re.compile(r"(?<![\w.,€$£-])(?:1\d{3}|20\d{2})(?![\w,]*\d|\w|%|\.\d)")
_NUMBER = re.compile(rf"(?<![\w.,:/-])\d+(?:[.,]\d+)*(?![\w:/]|[.,]\d)|\b(?:{'|'.join(_NUMBER_WORDS)})\b")
_CALENDAR = re.compile(rf"\b(?:{'|'.join(_MONTHS + _DAYS)})\b")
_NAME = re.compile(r"(?<=[a-z,;] )[A-Z][\w'’-]+(?: [A-Z][\w'’-]+)*")
_FIRST_NAME = re.compile(r"^[A-Z][\w'’-]+(?: [A-Z][\w'’-]+)+")
_WORD = re.compile(r"(?<![\w-])[a-z]{4,}(?![\w-])")
_AUXILIARY = re.compile(
    r"\b(?:is|are|was|were|will|can|may|must|should|could|would|has|have|had)\b(?! not\b|n['’]t)", re.I
)
_DENIALS = ((r"\bcannot\b", "can"), (r"\b(\w+)n['’]t\b", r"\1"), (r"(?<!or )\b(?:not|never) ", ""), (r"\bno ", "a "))
_SMALL_WORDS = frozenset(
    "also another because been before both cannot could does each from have into more most must none only other "
    "over same should some such than that their them then there these they this those though through under until "
    "very well were what when where which while whom whose will with within without would your".split()
)
# Capitalised where a heading or a list item begins, and no names.
_NO_NAMES = frozenset(
    "a all always and any before by enter for from how however if in it more no on or swipe tap the this to turn use "
    "view we what when where with you your".split()
)
_STRANGERS = ("Halvorsen", "Bremerton", "Okafor", "Lindqvist", "Marivaux", "Tessaly")


@dataclass(frozen=True)
class Corruption:
    """A sentence that was true until `was` became `now`."""

    sentence: str
    kind: str
    was: str
    now: str


def corrupt(sentence: str, document: str, kind: str, chance: random.Random) -> Corruption | None:
    """The sentence with one fact of this kind exchanged for another of its document (or a made-up one where there is no
    other); None where it has no such fact."""
    return _WAYS[kind](sentence, document, chance)


def _number(sentence: str, document: str, chance: random.Random) -> Corruption | None:
    spots = [match for match in _NUMBER.finditer(sentence) if not _YEAR.fullmatch(match.group())]
    if not spots:
        return None
    spot = chance.choice(spots)
    spelled = spot.group().isalpha()
    others = [n for n in _NUMBER.findall(document) if n.isalpha() == spelled and not _YEAR.fullmatch(n)]
    made_up = _NUMBER_WORDS if spelled else [_another_number(spot.group(), chance)]
    return _exchanged(sentence, spot, others, made_up, "number", chance)


def _another_number(number: str, chance: random.Random) -> str:
    """The same number with one digit changed."""
    at = chance.choice([place for place, character in enumerate(number) if character.isdigit()])
    digit = chance.choice([one for one in "123456789" if one != number[at]])
    return number[:at] + digit + number[at + 1 :]


def _date(sentence: str, document: str, chance: random.Random) -> Corruption | None:
    spots = [*_YEAR.finditer(sentence), *_CALENDAR.finditer(sentence)]
    if not spots:
        return None
    spot = chance.choice(spots)
    was = spot.group()
    if was.isdigit():
        made_up = [str(int(was) + step) for step in (-30, -7, -1, 1, 5, 20)]
        return _exchanged(sentence, spot, _YEAR.findall(document), made_up, "date", chance)
    same = _MONTHS if was in _MONTHS else _DAYS
    others = [other for other in _CALENDAR.findall(document) if other in same]
    return _exchanged(sentence, spot, others, same, "date", chance)


def _name(sentence: str, document: str, chance: random.Random) -> Corruption | None:
    spots = [*_FIRST_NAME.finditer(sentence), *_NAME.finditer(sentence)]
    spots = [spot for spot in spots if not _CALENDAR.search(spot.group()) and spot.group().lower() not in _NO_NAMES]
    if not spots:
        return None
    spot = chance.choice(spots)
    own = set(spot.group().lower().split())
    others = [other for other in _NAME.findall(document) if not own & set(other.lower().split())]
    others = [other for other in others if not _CALENDAR.search(other) and other.lower() not in _NO_NAMES]
    return _exchanged(sentence, spot, others, _STRANGERS, "name", chance)


def _negation(sentence: str, _: str, chance: random.Random) -> Corruption | None:
    for pattern, instead in _DENIALS:
        if found := re.search(pattern, sentence):
            now = found.expand(instead)
            return Corruption(sentence[: found.start()] + now + sentence[found.end() :], "negation", found.group(), now)
    spots = list(_AUXILIARY.finditer(sentence))
    if not spots:
        return None
    spot = chance.choice(spots)
    now = f"{spot.group()} not"
    return Corruption(sentence[: spot.start()] + now + sentence[spot.end() :], "negation", spot.group(), now)


def _roles(sentence: str, _: str, chance: random.Random) -> Corruption | None:
    """Two numbers, dates or names of the sentence in each other's place."""
    for patterns in chance.sample([(_NUMBER,), (_YEAR,), (_CALENDAR,), (_NAME, _FIRST_NAME)], 4):
        spots = sorted((m for p in patterns for m in p.finditer(sentence)), key=lambda spot: spot.start())
        pairs = [(one, two) for one in spots for two in spots if one.end() < two.start() and one.group() != two.group()]
        pairs = [(one, two) for one, two in pairs if not _is_list(sentence[one.end() : two.start()])]
        if pairs:
            one, two = chance.choice(pairs)
            text = sentence[: one.start()] + two.group() + sentence[one.end() : two.start()]
            return Corruption(text + one.group() + sentence[two.end() :], "roles", one.group(), two.group())
    return None


def _is_list(between: str) -> bool:
    """Whether what stands between two facts only lists them, so that their order says nothing."""
    return re.fullmatch(r"[\s,]*(?:and|or|&|,)?\s*", between) is not None


def _word(sentence: str, document: str, chance: random.Random) -> Corruption | None:
    spots = [spot for spot in _WORD.finditer(sentence) if spot.group() not in _SMALL_WORDS]
    if not spots:
        return None
    spot = chance.choice(spots)
    others = [word for word in _WORD.findall(document) if word not in _SMALL_WORDS and word[:4] != spot.group()[:4]]
    return _exchanged(sentence, spot, others, (), "word", chance)


def _exchanged(
    sentence: str,
    spot: re.Match[str],
    others: Sequence[str],
    made_up: Sequence[str],
    kind: str,
    chance: random.Random,
) -> Corruption | None:
    """One spot exchanged for another value of the document that the sentence lacks; made up if there is none."""
    plain = sentence.replace(",", "")
    known = sorted({other for other in others if other.replace(",", "") not in plain})
    choices = known or [other for other in made_up if other.replace(",", "") not in plain]
    if not choices:
        return None
    now = chance.choice(choices)
    return Corruption(sentence[: spot.start()] + now + sentence[spot.end() :], kind, spot.group(), now)


_WAYS: dict[str, Callable[[str, str, random.Random], Corruption | None]] = {
    "number": _number,
    "date": _date,
    "name": _name,
    "negation": _negation,
    "roles": _roles,
    "word": _word,
}
