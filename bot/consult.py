"""The consultation: a question in, a stream of events out.

for this desk? -> approved answer? -> retrieve -> enough evidence? -> model -> each sentence checked -> shown with its
citation. Where the model's words are not supported the best passage speaks for itself; where the passages are not
enough the answer says so. What is told, and when, is `bot.telling`; this module knows the order.
"""

from collections.abc import Iterator, Sequence

from langchain_core.messages import BaseMessage

from bot import (
    adapters,
    conversations,
    evidence,
    gaps,
    manners,
    model,
    pins,
    preferences,
    prompts,
    retrieve,
    voices,
)
from bot.desk import Desk
from bot.errors import QuestionRefused
from bot.evidence import confidence
from bot.prompts import Prompt
from bot.records import Adapter, Answer, Found, Passage, Sentence, Turn
from bot.telling import Telling


def consult(
    desk: Desk,
    question: str,
    history: Sequence[Turn] = (),
    conversation_id: str | None = None,
    adapter: str | None = None,
    collection: str = "",
) -> Iterator[Found | Sentence | Answer]:
    """Answer a question: first what was found, then each verified sentence, last the whole answer, already kept.

    `adapter` names the version that speaks ("" for the base model); without it `bot.voices` says which does.
    `collection` limits the answer to the documents of one folder of the inbox. A customer's question without an answer
    becomes a gap. Raises a `FrontdeskError` that can be shown as it is where the search or the model does not answer.
    """
    prompt = prompts.load("answer", desk.database)
    prompts.keep(desk.database, prompt)
    voice = _voice(desk, adapter, conversation_id, collection)
    telling = Telling(desk, _checked(question, desk), voice, prompt, threshold(desk), collection)
    vector = desk.embeddings.embed_query(telling.question)
    yield from _told(telling, vector, tuple(history))
    answer = telling.finished()
    conversations.keep(desk.database, answer, conversation_id)
    if conversation_id and answer.abstained and not answer.declined:
        meant = desk.embeddings.embed_query(retrieve.standalone(answer.question, history, desk, collection)[-1])
        gaps.record(desk.database, answer, meant, desk.embedding_model, collection, history)
    yield answer


def ask(
    desk: Desk,
    question: str,
    history: Sequence[Turn] = (),
    adapter: str | None = None,
    collection: str = "",
) -> Answer:
    """The whole answer at once, for commands and evaluation."""
    *_, answer = consult(desk, question, history, adapter=adapter, collection=collection)
    assert isinstance(answer, Answer)
    return answer


def try_prompt(desk: Desk, question: str, prompt: Prompt) -> Answer:
    """What a draft of the answer prompt would make of a question, said by the active version and kept nowhere."""
    telling = Telling(desk, _checked(question, desk), _voice(desk, None), prompt, threshold(desk))
    for _ in _searched(telling, ()):
        pass
    return telling.finished()


def threshold(desk: Desk) -> float:
    """How sure the evidence check must be (0..1) before anything is said: what an operator set, or the default."""
    return float(preferences.get(desk.database, preferences.CAUTION, confidence.default_threshold()))


def messages(desk: Desk, prompt: Prompt, question: str, excerpts: Sequence[Passage]) -> list[BaseMessage]:
    """The prompt as it is sent for a question and its excerpts; training learns from the same."""
    return prompts.compose(prompt, company=desk.settings.company, excerpts=excerpts, question=question)


def _told(telling: Telling, vector: Sequence[float], history: tuple[Turn, ...]) -> Iterator[Found | Sentence]:
    """What a reviewer has answered is answered so, what is not for this desk is declined, the rest is searched for."""
    desk = telling.desk
    telling.manner = manners.read(desk, vector)
    pin = pins.find(desk.database, vector, desk.embedding_model, telling.question, telling.collection)
    if pin:
        yield from telling.recite(pin)
    elif not manners.declines(telling.manner):
        yield from _searched(telling, history)


def _searched(telling: Telling, history: tuple[Turn, ...]) -> Iterator[Found | Sentence]:
    desk, question = telling.desk, telling.question
    retriever = retrieve.PassageRetriever(
        desk=desk, k=desk.settings.passages, history=history, collection=telling.collection
    )
    telling.found(tuple(document.metadata["passage"] for document in retriever.invoke(question)))
    yield Found(telling.passages)
    queries = retrieve.standalone(question, history, desk, telling.collection)
    telling.evidence = evidence.weigh(desk, queries, telling.passages)
    if telling.evidence.score >= telling.threshold:
        yield from telling.speak(queries[-1])


def _checked(question: str, desk: Desk) -> str:
    text = question.strip()
    longest = desk.settings.max_question_characters
    if not text:
        raise QuestionRefused("The question is empty; please type one.")
    if len(text) > longest:
        raise QuestionRefused(f"The question has {len(text):,} characters; please ask it in at most {longest:,}.")
    return text


def _voice(desk: Desk, adapter: str | None, conversation_id: str | None = None, collection: str = "") -> Adapter | None:
    """The adapter that speaks, made sure to be loaded: the server may have been restarted since."""
    if adapter is None:
        chosen = voices.speaking(desk.database, conversation_id, collection)
    else:
        chosen = adapters.find(desk.database, adapter) if adapter else None
    if chosen:
        model.ensure_adapter(desk.settings, chosen)
    return chosen
