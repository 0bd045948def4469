"""Politeness: words that claim nothing by themselves, and sentences that are nothing else and need no source.

Such a sentence is one of a few turns of phrase, and not any sentence of polite words: "We're happy to help" claims
nothing, "Happy to help, you can" answers a question.
"""

import re

from bot.lexical import stems, words

_POLITE = (
    "happy glad help sure course certainly please thank thanks sorry welcome hello hi dear yes ask get let know want"
)
POLITE = frozenset(stems(_POLITE))
_TURNS = (
    r"hello|hi|hi there|good (?:morning|afternoon|evening)|welcome|dear customer",
    r"(?:many thanks|thanks|thank you)(?: (?:very|so) much)?"
    r"(?: for (?:asking|your question|your message|your patience|getting in touch))?",
    r"(?:(?:i am|i m|we are|we re) )?(?:always |very )?(?:happy|glad) to help(?: you)?(?: with (?:that|this))?",
    r"(?:please )?(?:just )?(?:let (?:us|me) know|ask us|ask me|feel free to ask)"
    r" if (?:you have|you need|there is|there are|there s)"
    r"(?: (?:any|anything|more|else|other|further|questions?|help))+",
)
_COURTESY = re.compile(rf"(?:(?:{'|'.join(_TURNS)})(?: |$))+")

_PAUSE = re.compile(r"[:,;!–—]")


def is_all(sentence: str) -> bool:
    """Whether a sentence is courtesy and nothing else: "Hello!", "Let us know if you have questions."."""
    return _COURTESY.fullmatch(" ".join(words(sentence))) is not None


def opening(sentence: str) -> str:
    """The courtesy that a sentence opens with, its punctuation included: "Happy to help:"; empty where it has none."""
    ends = [match.end() for match in _PAUSE.finditer(sentence)]
    return next((sentence[:end] for end in reversed(ends) if is_all(sentence[:end])), "")
