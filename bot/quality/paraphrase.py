"""Says a sentence in another way that is as true, by rule: figures written otherwise, contractions, an order of clauses
turned round, an aside left out; and makes a sentence of a question and its short answer."""

import random
import re
from collections.abc import Callable

_MONTHS = "January February March April May June July August September October November December".split()
_SPELLED = "zero one two three four five six seven eight nine ten eleven twelve".split()
_MONTH = "|".join(_MONTHS)
_COURTESIES = ("Happy to help: ", "Thanks for asking: ", "Sure, ", "Of course: ")
_FUNCTION_WORDS = frozenset(
    "the a an this these those in on at from to for if when it they he she there some all".split()
)


def _spell(match: re.Match[str]) -> str:
    return _SPELLED[int(match.group())]


def _digits(match: re.Match[str]) -> str:
    return str(_SPELLED.index(match.group()))


def _turned(match: re.Match[str]) -> str:
    front, rest = match[1], match[2]
    return f"{_capital(rest)} {front[0].lower()}{front[1:]}."


def _day_first(match: re.Match[str]) -> str:
    return f"{match[2]} {match[1]} {match[3]}"


def _iso(match: re.Match[str]) -> str:
    return f"{match[3]}-{_MONTHS.index(match[2]) + 1:02d}-{int(match[1]):02d}"


def _hours(match: re.Match[str]) -> str:
    hour = int(match[1]) % 12 + (12 if match[2].lower() == "p" else 0)
    return f"{hour:02d}:00"


_RULES: tuple[tuple[str, str | Callable[[re.Match[str]], str]], ...] = (
    (r"(?<![\w.,:/€$£-])(?:[2-9]|1[0-2])(?= [a-z]{3})", _spell),
    (rf"(?<![\w-])(?:{'|'.join(_SPELLED[2:])})(?= [a-z]{{3}})(?! hundred| thousand| million| billion)", _digits),
    (r"(?<=\d,\d\d\d) ?%|(?<=\d) ?%", " percent"),
    (r"(?<=\d) percent\b", " %"),
    (r"€(\d+(?:\.\d+)?)(?![\d,.]*\d)", r"\1 euros"),
    (r"(?<!\w)\$(\d+(?:,\d{3})*(?:\.\d+)?)(?! (?:million|billion))(?![\d,.]*\d)", r"\1 dollars"),
    (r"(?<![\w,.])(\d{1,3}),(\d{3})\b(?!,\d|\.\d)", r"\1\2"),
    (rf"\b({_MONTH}) (\d{{1,2}}) ?, (\d{{4}})\b", _day_first),
    (rf"\b(\d{{1,2}}) ({_MONTH}) (\d{{4}})\b", _iso),
    (r"(?<![\w:.])(?<!: )(\d{1,2}) ?([ap])\.?m\b\.?", _hours),
    (r"\bcannot\b", "can't"),
    (r"\b(is|are|was|were|do|does|did|has|have|could|should) not\b", r"\1n't"),
    (r"\bwill not\b", "won't"),
    (r"\b(is|are|was|were|do|does|did|has|have|could|should)n['’]t\b", r"\1 not"),
    (r" \((?![^)]*\()[^)]{3,80}\)", ""),
    (r"^((?:In|On|During|After|Before|Since|Until|At|By) [^,;]{3,50}) ?, ([^;]{15,})\.$", _turned),
    (r" ?, which [^,;]+\.$", "."),
)


def paraphrase(sentence: str, chance: random.Random) -> str | None:
    """The sentence after one or two of the rules that apply, half of the time behind a courtesy, if any does."""
    usable = [(rule, instead) for rule, instead in _RULES if re.search(rule, sentence)]
    if not usable:
        return None
    said = sentence
    for rule, instead in chance.sample(usable, min(len(usable), chance.choice((1, 2)))):
        said = re.sub(rule, instead, said)
    return _courteous(said, chance) if chance.random() < 0.5 else said


def stated(question: str, answer: str) -> str | None:
    """ "Who wrote Emma?" and "Jane Austen" as "Jane Austen wrote Emma."; None where the question's form needs more than
    the answer in the place of its first words."""
    asked = question.strip().rstrip("? ")
    given = _capital(answer.strip().rstrip("."))
    if found := re.fullmatch(r"(?:Who|What) (?:is|was|are|were) ((?:the|one of) (?:\w+ ){1,8}\w+)(?<! of)", asked):
        return f"{given} {asked.split()[1]} {found[1]}."
    if found := re.fullmatch(r"Who ((?!did|would|could|had|has)\w+(?:ed|es|ote|ew|on|de|nt|ght) .+)", asked):
        return f"{given} {found[1]}."
    return None


def _courteous(sentence: str, chance: random.Random) -> str:
    first = sentence.split()[0]
    return chance.choice(_COURTESIES) + (
        sentence[0].lower() + sentence[1:] if first.lower() in _FUNCTION_WORDS else sentence
    )


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
