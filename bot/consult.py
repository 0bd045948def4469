"""The consultation: a question in, a stream of events out."""

from collections.abc import Iterator, Sequence

from bot.desk import Desk
from bot.records import Answer, Found, Sentence, Turn


def consult(
    desk: Desk,
    question: str,
    history: Sequence[Turn] = (),
    conversation_id: str | None = None,
    adapter: str | None = None,
) -> Iterator[Found | Sentence | Answer]:
    """Answer a question: first what was found, then each verified sentence, last the whole answer, already kept.

    `adapter` names the version that speaks; without it the active one does. Raises a `FrontdeskError` that can be
    shown as it is where the search or the model does not answer.
    """
    raise NotImplementedError
