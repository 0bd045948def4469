"""Which chunks say the same: MinHash signatures (Broder 1997; datasketch) of a text's word triples. The share of equal
positions in two signatures estimates the Jaccard similarity of the texts."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from datasketch import MinHash

POSITIONS = 64
ALIKE = 0.8
SHINGLE_WORDS = 3


def signatures(texts: Sequence[str]) -> list[bytes]:
    """The signature of each text: 64 unsigned 32-bit numbers."""
    from datasketch import MinHash  # slow to import, and only those that write signatures need it

    blank = MinHash(num_perm=POSITIONS)  # to draw its permutations anew for each text would be most of the work
    return [_signed(blank.copy(), text).hashvalues.astype(np.uint32).tobytes() for text in texts]


def alike(one: bytes, other: bytes, least: float = ALIKE) -> bool:
    """Whether two signatures are those of near-duplicates, `least` of their words in common; a chunk without a
    signature is like no other."""
    if not one or not other:
        return False
    same = np.frombuffer(one, np.uint32) == np.frombuffer(other, np.uint32)
    return bool(same.mean() >= least)


def _signed(blank: "MinHash", text: str) -> "MinHash":
    blank.update_batch(_shingles(text))
    return blank


def _shingles(text: str) -> list[bytes]:
    words = re.findall(r"\w+", text.lower())
    return [" ".join(words[at : at + SHINGLE_WORDS]).encode() for at in range(max(1, len(words) - SHINGLE_WORDS + 1))]
