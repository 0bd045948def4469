"""How a question is meant: not for this desk at all, by somebody who is upset, by somebody who cannot wait.

Small classifiers on the embedding that the search has made anyway. Out of scope is what no company's documents would
answer (poems, jokes, homework, code, politics, a diagnosis, small talk, role play, "ignore your instructions"); whether
the documents answer a question of fact is not decided here, however far from the company's business it may be. Who
asks for a person counts as one who cannot wait.

Where no weights fit the embedding model that answers, nothing is noticed and nothing refused.
"""

from collections.abc import Sequence

from bot.desk import Desk
from bot.manners import weights
from bot.records import Manner

# The likelihoods from which something is done; `bot/LOG.md` has what each costs and brings.
OUT_OF_SCOPE = 0.65
UPSET = 0.4
URGENT = 0.35
BARS = {"scope": OUT_OF_SCOPE, "sentiment": UPSET, "urgency": URGENT}

UNNOTICED = Manner(0.0, 0.0, 0.0)


def read(desk: Desk, vector: Sequence[float]) -> Manner:
    """How a question is meant, by its embedding (unit vector) of the embedding model that answers now."""
    return read_all(desk, [vector])[0]


def read_all(desk: Desk, vectors: Sequence[Sequence[float]]) -> list[Manner]:
    """The same for many questions."""
    known = weights.in_use(desk.database, desk.embedding_model)
    if known is None or any(len(vector) != known.matrix.shape[1] for vector in vectors):
        return [UNNOTICED] * len(vectors)
    return known.manners(vectors)


def declines(manner: Manner) -> bool:
    """Whether the question gets a polite refusal."""
    return manner.out_of_scope >= OUT_OF_SCOPE


def wants_person(manner: Manner) -> bool:
    """Whether the customer is to be offered a person."""
    return manner.upset >= UPSET or manner.urgent >= URGENT
