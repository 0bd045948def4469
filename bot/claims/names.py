"""The names in a text: runs of capitalised words. It knows no persons or places, only how names are written."""

import functools
import re

from bot import lexical
from bot.claims import facts
from bot.claims.facts import Fact

# Words that are capitalised without being names, or that go with any name.
NO_NAMES = frozenset("I i we you your our if it the yes no ll re ve s d m t mr mrs ms dr".split())
_NAME = re.compile(r"(?<![\w])[A-Z][\w’'&-]*(?:(?:\s|\.\s)[A-Z][\w’'&-]*)*")
_BEGINS = re.compile(r"(?:^|[.!?:;•>]\s+|^[\s\"“‘'(\[]+|[\"“]\s*)$")


@functools.lru_cache(maxsize=4096)
def within(text: str, known: frozenset[str] = frozenset()) -> tuple[Fact, ...]:
    """Runs of capitalised words, as tuples of stems; single capitals as they are ("Zone B"). Any first word of a
    sentence is capitalised: it is a name with another capitalised word after it, or where its stem is among `known`."""
    runs = (match.span() for match in _NAME.finditer(facts.without(text)))
    found = (_trimmed(text, start, end, known) for start, end in runs)
    return tuple(name for name in found if name)


def first_word(text: str) -> Fact | None:
    """The first word of a sentence, as if it were a name: it may be one, and its capital does not tell."""
    match = re.match(r"\W*([A-Z][\w’'-]*)", text)
    if match is None or lexical.words(match[1])[0] in lexical.STOPWORDS | NO_NAMES:
        return None
    return Fact("name", tuple(_name_stems(match[1])), match.start(1), match.end(1))


def known_in(texts: tuple[str, ...]) -> frozenset[str]:
    """The stems that stand capitalised inside a sentence of these texts, and never in lower case."""
    capital = {part for text in texts for name in within(text) for part in parts(name)}
    lower = {lexical.stem(word) for text in texts for word in re.findall(r"\b[a-z][\w]*", text)}
    return frozenset(capital - lower)


def parts(name: Fact) -> tuple[str, ...]:
    """The stems of a name."""
    return tuple(str(part) for part in name.value) if isinstance(name.value, tuple) else ()


def _trimmed(text: str, start: int, end: int, known: frozenset[str]) -> Fact | None:
    """The name without a first word that only the sentence's beginning has capitalised, its words as stems."""
    words = text[start:end].split()
    first = lexical.words(words[0])
    if _BEGINS.search(text[:start]) and first:
        alone = len(words) == 1 and not re.search(r"[A-Z].*[A-Z]|[A-Z].*-", words[0])
        if first[0] in lexical.STOPWORDS | NO_NAMES or (alone and lexical.stem(first[0]) not in known):
            start = text.find(words[1], start + 1) if len(words) > 1 else end
            words = words[1:]
    stems = tuple(stem for part in words for stem in _name_stems(part))
    return Fact("name", stems, start, end) if stems else None


def _name_stems(part: str) -> list[str]:
    if len(part.rstrip(".")) == 1:
        return [part[0]] if part[0] not in NO_NAMES else []
    return [lexical.stem(word) for word in lexical.words(part) if word not in NO_NAMES]
