"""What can be counted in a text: words, syllables, contractions, list items, who speaks, and the language."""

import re

_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*|\d+(?:[.,:]\d+)*")
_VOWELS = re.compile(r"[aeiouy]+")
_ITEM = re.compile(r"^\s*(?:[-*•]|\d+[.)])\s+", re.M)
CONTRACTED = re.compile(r"\b\w+(?:n[’']t|[’'](?:ll|re|ve|d|m))\b|\b(?:it|that|there|what|he|she)[’']s\b", re.I)
# Where English contracts in speech: "we will", "it is", "do not".
CONTRACTIBLE = re.compile(
    r"\b(?:(?:i|you|we|they|he|she|it|that|there) (?:will|would|are|am|have|has)|(?:it|that|there) is"
    r"|(?:are|is|will|would|have|has|do|does|did|could|should|was|were) not|can ?not)\b",
    re.I,
)
PERSONS = {
    "we": re.compile(r"\b(?:we|us|our|ours)\b(?:[’'](?:ll|re|ve|d))?", re.I),
    "you": re.compile(r"\b(?:you|your|yours|yourself)\b", re.I),
}
# The commonest words that belong to one of these languages alone.
_COMMON = {
    "en": "the and of to is are you your we our for with be can it not on that this at from will",
    "de": "der die das und ist sind nicht sie wir ihr ihre für mit auf den dem ein eine werden bei zum von",
    "es": "el los las y es son no usted nuestro para con por una del se puede su más que",
    "fr": "le les et est sont pas vous nous notre votre pour avec une des du dans peut sur ce que",
    "it": "il gli e è sono non voi noi nostro per con una del della può che di sul",
    "nl": "de het en is zijn niet u wij onze voor met op een van kan bij worden dat uw",
}
_COMMON_WORDS = {language: frozenset(words.split()) for language, words in _COMMON.items()}


def words(text: str) -> list[str]:
    """The words of a text, numbers among them."""
    return _WORD.findall(text)


def contains(text: str, phrase: str) -> bool:
    """Whether a phrase stands in a text, as whole words, however its apostrophes and capitals are written."""
    return re.search(rf"(?<!\w){re.escape(_plain(phrase))}(?!\w)", _plain(text)) is not None


def begins(text: str, phrase: str) -> bool:
    """Whether a text begins with a phrase."""
    return re.match(rf"\W*{re.escape(_plain(phrase))}(?!\w)", _plain(text)) is not None


def items(text: str) -> int:
    """Lines that are items of a list."""
    return len(_ITEM.findall(text))


def contractions(text: str) -> tuple[int, int]:
    """How many contractions there are, and how many more there could be."""
    return len(CONTRACTED.findall(text)), len(CONTRACTIBLE.findall(text))


def grade(text: str, sentences: int) -> float:
    """The school grade that a text asks for (Kincaid et al. 1975), of its words; a number counts as one syllable."""
    spoken = words(text)
    if not spoken:
        return 0.0
    syllables = sum(_syllables(word) for word in spoken)
    return 0.39 * len(spoken) / max(1, sentences) + 11.8 * syllables / len(spoken) - 15.59


def language_shares(text: str) -> dict[str, float]:
    """For each language the share of words that are among its commonest."""
    spoken = [re.split("[’']", word.lower())[0] for word in words(text)]
    return {
        language: sum(word in common for word in spoken) / max(1, len(spoken))
        for language, common in _COMMON_WORDS.items()
    }


def _syllables(word: str) -> int:
    groups = len(_VOWELS.findall(word.lower()))
    silent = word.lower().endswith("e") and not word.lower().endswith("le") and groups > 1
    return max(1, groups - silent)


def _plain(text: str) -> str:
    return " ".join(text.lower().replace("’", "'").split())
