"""The exact facts of a text: numbers with their units, amounts, percentages, dates, times, ordinals and codes; `names`
finds the names.

Facts that say the same are equal however they are written ("twelve" and 12, "1,000" and 1000, "5 pm" and "17:00",
"31 January 2024" and "2024-01-31"), where that is sure: 03/04/2024 is equal to itself alone.
"""

import functools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Literal

from bot import lexical

Kind = Literal["number", "date", "time", "ordinal", "code", "name"]
Value = Decimal | int | str | tuple[int | None, ...] | tuple[str, ...]

MONTHS = {
    name: number
    for number, names in enumerate(
        "january jan|february feb|march mar|april apr|may|june jun|july jul|august aug|september sept sep|october oct|"
        "november nov|december dec".split("|"),
        start=1,
    )
    for name in names.split()
}
DAYS = frozenset("monday tuesday wednesday thursday friday saturday sunday".split())
UNITS = {
    spelling: names.split()[0]
    for names in (
        "second seconds sec secs|minute minutes min mins|hour hours hr hrs h|day days|night nights|week weeks|"
        "month months|year years yr yrs|percent % percentage|euro euros € eur|dollar dollars $ usd|pound pounds £ gbp|"
        "yen ¥ jpy|cent cents|kilometre kilometres kilometer kilometers km|metre metres meter meters m|"
        "centimetre centimetres centimeter centimeters cm|millimetre millimetres millimeter millimeters mm|"
        "mile miles|foot feet ft|inch inches|kilogram kilograms kg kilo kilos|gram grams g|tonne tonnes ton tons|"
        "litre litres liter liters l|millilitre millilitres ml|gigabyte gigabytes gb|megabyte megabytes mb|"
        "terabyte terabytes tb|degree degrees °c °f °|watt watts w|volt volts v"
    ).split("|")
    for spelling in names.split()
}
_ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen"
).split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
SMALL = {**{word: n for n, word in enumerate(_ONES)}, **{word: 10 * n for n, word in enumerate(_TENS, 2)}, "dozen": 12}
SCALES = {"hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_ORDINAL_WORDS = "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth".split()
ORDINALS = {word: n for n, word in enumerate(_ORDINAL_WORDS, start=1)}
# "One" is a pronoun as often as a number, and "first," begins a list: neither is a fact by itself.
_PRONOUN = "one"

_MONTH = "|".join(sorted(MONTHS, key=len, reverse=True))
_YEAR = r"[12]\d{3}"
_TENS_WITH_ONES = rf"(?:{'|'.join(_TENS)})(?:[\s-](?:{'|'.join(_ONES[1:10])}))?"
_SMALL = rf"(?:{_TENS_WITH_ONES}|{'|'.join(sorted([*_ONES, 'dozen'], key=len, reverse=True))})"
_SCALES = "|".join(SCALES)
_NUMBER_WORDS = re.compile(rf"\b{_SMALL}(?:(?:[\s-](?:{_SCALES}))+(?:\s(?:and\s)?{_SMALL})?)*\b", re.I)
_DIGITS = re.compile(r"(?:(?<=\s)|(?<=^)|(?<=\())[-−](?=\d)\d+(?:[.,]\d+)*|\d+(?:[.,:/]\d+)*")
_SCALE = re.compile(rf"\s?({_SCALES})\b", re.I)
_UNIT_BEFORE = re.compile(r"(?:(€|\$|£|¥)|\b(EUR|USD|GBP|JPY))\s?$")
_UNIT_AFTER = re.compile(r"[\s-]?(%|€|\$|£|¥|°[CF]?|[A-Za-z]+)(?:[\s-]([A-Za-z]+))?")
_NAME_AND_NUMBER = re.compile(r"\b([A-Z][A-Za-z]+) (\d+)\b")
_RANGE = re.compile(r"\s*(?:[-–—]|to|and|or|through)\s*[€$£¥]?\s*")


@dataclass(frozen=True)
class Fact:
    """One fact at `start` to `end` (characters, its unit included where that stands beside it). `unit` is the canonical
    unit of a number, or the stem of the noun that it counts where it is not `measured`. A date is (year, month, day)
    with None for what is not said."""

    kind: Kind
    value: Value
    start: int
    end: int
    unit: str = ""
    measured: bool = False

    def agrees(self, other: "Fact") -> bool:
        """Whether `other` says at least as much: "January 2024" agrees with "31 January 2024", not the other way."""
        if self.kind != other.kind:
            return self._is_year_of(other)
        if isinstance(self.value, tuple) and isinstance(other.value, tuple):
            if self.kind == "name":
                return set(self.value) <= set(other.value)
            return all(mine in (None, its) for mine, its in zip(self.value, other.value, strict=True))
        return self.value == other.value and not (self.measured and other.measured and self.unit != other.unit)

    def _is_year_of(self, date: "Fact") -> bool:
        """Whether this is a bare year, and that of the date."""
        year = date.value[0] if date.kind == "date" and isinstance(date.value, tuple) else None
        return self.kind == "number" and not self.measured and year is not None and self.value == year


@functools.lru_cache(maxsize=4096)
def figures(text: str) -> tuple[Fact, ...]:
    """Everything exact in a text but its names, in reading order."""
    # the surest forms are read first, and what has been read is blanked
    found: list[Fact] = []
    rest = text
    for read in _READERS:
        facts = list(read(rest, text))
        for fact in facts:
            rest = rest[: fact.start] + " " * (fact.end - fact.start) + rest[fact.end :]
        found += facts
    in_order = sorted(found, key=lambda fact: fact.start)
    return tuple(reversed(list(_with_range_units(in_order, text))))


@functools.lru_cache(maxsize=4096)
def without(text: str) -> str:
    """The text with its figures blanked, so that only words remain."""
    for fact in figures(text):
        text = text[: fact.start] + " " * (fact.end - fact.start) + text[fact.end :]
    return text


def apart(text: str) -> Iterator[Fact]:
    """Names with a number that could be written as one code: "Ember 2" is "Ember2"."""
    for match in _NAME_AND_NUMBER.finditer(text):
        yield Fact("code", f"{match[1]}{match[2]}".lower(), match.start(), match.end())


def _matches(pattern: str, make: Callable[[re.Match[str]], Value | None], kind: Kind, flags: int = re.I) -> "_Reader":
    compiled = re.compile(pattern, flags)

    def read(rest: str, _: str) -> Iterator[Fact]:
        for match in compiled.finditer(rest):
            value = make(match)
            if value is not None:
                yield Fact(kind, value, match.start(), match.end())

    return read


_Reader = Callable[[str, str], Iterator[Fact]]


def _date(year: str | None, month: str, day: str | None) -> Value | None:
    number = MONTHS.get(month.lower(), 0) or (int(month) if month.isdigit() else 0)
    if not 1 <= number <= 12 or (day and not 1 <= int(day) <= 31):
        return None
    return (int(year) if year else None, number, int(day) if day else None)


def _slashed(match: re.Match[str]) -> Value | None:
    one, two, year = (int(part) for part in match.groups())
    if one > 12 >= two >= 1 and one <= 31:
        return (year, two, one)
    if two > 12 >= one >= 1 and two <= 31:
        return (year, one, two)
    return (year, one, two) if one == two and one <= 12 else None


def _clock(match: re.Match[str]) -> Value | None:
    hour, minute, half = int(match[1]), int(match[2] or 0), match[3].lower()
    return (hour % 12 + (12 if half == "p" else 0)) * 60 + minute if 1 <= hour <= 12 and minute < 60 else None


def _numbers(rest: str, text: str) -> Iterator[Fact]:
    for match in _DIGITS.finditer(rest):
        before = rest[: match.start()]
        value = _amount(match.group())
        end = match.end()
        if (scale := _SCALE.match(rest, end)) and isinstance(value, Decimal):
            value, end = value * SCALES[scale[1].lower()], scale.end()
        yield _counted(value, match.start(), end, before, text)
    for match in _NUMBER_WORDS.finditer(rest):
        spelled = match.group().lower()
        fact = _counted(_spelled(spelled), match.start(), match.end(), rest[: match.start()], text)
        if spelled != _PRONOUN or fact.measured:
            yield fact


def _amount(digits: str) -> Value:
    digits = digits.replace("−", "-")
    if re.fullmatch(r"-?\d{1,3}(?:,\d{3})+(?:\.\d+)?", digits):
        return Decimal(digits.replace(",", ""))
    if re.fullmatch(r"-?\d+(?:\.\d+)?", digits):
        return Decimal(digits)
    return Decimal(digits.replace(",", ".")) if re.fullmatch(r"-?\d+,\d{1,2}", digits) else digits


def _spelled(spelled: str) -> Decimal:
    total = group = 0
    for word in re.findall(r"[a-z]+", spelled):
        if word in SMALL:
            group += SMALL[word]
        elif word == "hundred":
            group = max(group, 1) * 100
        elif word in SCALES:
            total, group = total + max(group, 1) * SCALES[word], 0
    return Decimal(total + group)


def _counted(value: Value, start: int, end: int, before: str, text: str) -> Fact:
    """A number with its unit: a currency in front, a known unit in the next two words, or the noun that follows."""
    if prefix := _UNIT_BEFORE.search(before):
        return Fact("number", value, prefix.start(), end, UNITS[(prefix[1] or prefix[2]).lower()], measured=True)
    after = _UNIT_AFTER.match(text, end)
    if after is None:
        return Fact("number", value, start, end)
    first, second = after[1].lower(), (after[2] or "").lower()
    if first == "per" and second == "cent":
        return Fact("number", value, start, after.end(), "percent", measured=True)
    if first in UNITS:
        return Fact("number", value, start, after.end(1), UNITS[first], measured=True)
    if len(second) > 1 and second in UNITS:
        return Fact("number", value, start, end, UNITS[second], measured=True)
    noun = "" if first in lexical.STOPWORDS else lexical.stem(first)
    return Fact("number", value, start, end, noun)


def _with_range_units(found: list[Fact], text: str) -> Iterator[Fact]:
    """ "10 to 15 days": what the last number of a range counts, the first does, too."""
    later: Fact | None = None
    for fact in reversed(found):
        joined = later is not None and _RANGE.fullmatch(text, fact.end, later.start)
        if later and joined and fact.kind == later.kind == "number" and not fact.measured:
            fact = replace(fact, unit=later.unit, measured=later.measured)
        yield fact
        later = fact


_DAY = r"(\d{1,2})(?:st|nd|rd|th)?"
_READERS: tuple[_Reader, ...] = (
    _matches(r"\b(\d{4})-(\d{2})-(\d{2})\b", lambda m: _date(m[1], m[2], m[3]), "date"),
    _matches(r"\b(\d{1,2})[./](\d{1,2})[./](\d{4})\b", _slashed, "date"),
    _matches(
        rf"\b{_DAY}(?:\s+of)?\s+({_MONTH})\b\.?(?:\s*,?\s*({_YEAR})\b)?", lambda m: _date(m[3], m[2], m[1]), "date"
    ),
    _matches(
        rf"\b({_MONTH})\b\.?\s+{_DAY}\b(?![:.]\d)(?:\s*,?\s*({_YEAR})\b)?", lambda m: _date(m[3], m[1], m[2]), "date"
    ),
    _matches(rf"\b({_MONTH})\b\.?,?\s+(?:of\s+)?({_YEAR})\b", lambda m: _date(m[2], m[1], None), "date"),
    _matches(
        rf"(?<=[\w,] )\b((?i:{_MONTH}))\b(?<=[a-z])",
        lambda m: _date(None, m[1], None) if m[1][0].isupper() else None,
        "date",
        0,
    ),
    _matches(r"\b(\d{1,2})(?:[:.](\d{2}))?\s*([ap])\.?\s?m\b\.?", _clock, "time"),
    _matches(r"\b([01]?\d|2[0-3]):([0-5]\d)\b(?!:)", lambda m: int(m[1]) * 60 + int(m[2]), "time"),
    _matches(r"\b(noon|midday)\b", lambda _: 720, "time"),
    _matches(r"\b(\d+)(?:st|nd|rd|th)\b", lambda m: int(m[1]), "ordinal"),
    _matches(rf"\b({'|'.join(ORDINALS)})\b(?!,)(?!ly)", lambda m: ORDINALS[m[1].lower()], "ordinal"),
    _matches(
        rf"\b(?!\d+(?:{'|'.join(unit for unit in UNITS if unit.isalpha())})\b)(?=[\w+]*[A-Za-z])(?=[\w+]*\d)\w[\w+]*",
        lambda m: m.group().lower(),
        "code",
    ),
    _numbers,
)
