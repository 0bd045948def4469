"""The words that answer, which a model names and the page sets in bold: where they stand, and whether they can."""

import re
from difflib import SequenceMatcher

from bot import sentences
from bot.lexical import stems

MEANT = 0.85  # of two keys' characters in common: "cyotoxic cells" is "cytotoxic cells", "Paris" is not "parts"
_WORD = re.compile(r"[€$£]?\w+(?:[-'’.,/]\w+)*%?")


def meant(key: str, sentence: str) -> str:
    """The words of a sentence that a model means where it names a key: the same but for case, for their endings
    ("cough and sneeze") and for a slip of its pen; nothing where there are none. Figures are meant as they stand."""
    if not key or sentences.span(key, sentence)[1]:
        return key
    figures, count, named = re.findall(r"\d+", key), len(key.split()), stems(key)
    found = list(_WORD.finditer(sentence))
    runs = [
        sentence[found[first].start() : found[last - 1].end()]
        for first in range(len(found))
        for last in range(first + 1, min(first + count + 1, len(found)) + 1)
    ]

    def likeness(run: str) -> float:
        return SequenceMatcher(None, key.lower(), run.lower()).ratio()

    if named and (same := [run for run in runs if len(run.split()) == count and stems(run) == named]):
        return max(same, key=likeness)
    likest = max((run for run in runs if re.findall(r"\d+", run) == figures), key=likeness, default="")
    return likest if likeness(likest) >= MEANT else ""


def repeats(key: str, question: str) -> bool:
    """Whether words only say again what was asked, and so cannot answer it, unless it was asked which of two."""
    said = set(stems(key))
    return bool(said) and said <= set(stems(question)) and " or " not in question
