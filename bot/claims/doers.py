"""Who does it, the company or its customer? "We pay the postage" and "you pay the postage" have the same words, and a
model that is taught to speak of "we" and "you" mixes them up. Judged on the words before a verb; a source that names
neither decides nothing."""

import re

_CUSTOMERS = (
    "you|customers?|clients?|buyers?|recipients?|members?|guests?|users?|owners?|holders?|applicants?|patients?|"
    "passengers?|tenants?|subscribers?|visitors?|students?|employees?"
)
_HELPERS = (
    r"(?:(?:['’](?:ll|d|ve|re)|will|would|can|could|may|must|should|shall|do|always|also|then|have to|need to)\s+)*"
)
_WE = rf"\b(?:we|i)\s*{_HELPERS}"
_YOU = rf"\byou\s*{_HELPERS}"
_THEY = rf"\b(?:{_CUSTOMERS})\b[^.;:,]*?\b"
_VERB = r"([a-z]{3,})\b"


def agree(claim: str, quote: str) -> bool:
    """Whether the claim has nobody do what in the quote the other one does."""
    said = quote.lower()
    return not (
        any(_does(_THEY, verb, said) and not _does(_WE, verb, said) for verb in _done_by(_WE, claim))
        or any(_does(_WE, verb, said) and not _does(_THEY, verb, said) for verb in _done_by(_YOU, claim))
    )


def _done_by(whom: str, claim: str) -> list[str]:
    return re.findall(whom + _VERB, claim.lower())


def _does(whom: str, verb: str, said: str) -> bool:
    return bool(re.search(rf"{whom}{verb}\b", said))
