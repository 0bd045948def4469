"""Learning how questions are meant: from the rows that ship, and from what reviewers said.

`python -m bot.manners.learn` writes the weights that ship, with the embedding model that the settings name; `relearn`
makes those of one installation. What is said of the quality was measured on texts whose templates were held out.
"""

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from bot import model
from bot.desk import Desk
from bot.errors import TrainingRefused
from bot.manners import BARS, labels, rows, weights
from bot.manners.weights import NOTICED, Floats, Score, Weights
from bot.settings import load_settings

FOLDS = 5
REGULARISATION = 10.0  # scikit-learn's C
LABEL_WEIGHT = 3.0  # of what a reviewer said, beside a template with one text
MOST_FALSE_REFUSALS = 0.05  # of our rows, which are harder than what customers ask

Mask = npt.NDArray[np.bool_]
Embed = Callable[[list[str]], list[list[float]]]


@dataclass(frozen=True)
class Example:
    """A text to learn from or to be judged on. `said` is how it is meant, as far as that is known; `topic` is empty
    for a reviewer's text until the most likely one is found; texts of one `template` are held out together."""

    text: str
    said: dict[str, str]
    topic: str
    template: str
    weight: float


@dataclass(frozen=True)
class Lesson:
    """What learning brought: the new weights, whose `scores` are those after it, and the scores without the labels."""

    before: tuple[Score, ...]
    learned: Weights


def relearn(desk: Desk, author: str) -> Lesson:
    """Learn from all rows and labels with the embedding model that answers now, and use what was learned.

    Raises `TrainingRefused` where too many ordinary questions would be refused; the old weights then stay.
    """
    lesson = learn(desk.embedding_model, desk.embeddings.embed_documents, labels.said(desk.database))
    refused = next(score.false_alarms for score in lesson.learned.scores if score.kind == "scope")
    if refused > MOST_FALSE_REFUSALS:
        raise TrainingRefused(
            f"Of the questions that are to be answered, {refused:.1%} would be refused, so what was learned is not "
            "used. Look through the labels that say 'out of scope'."
        )
    weights.keep(desk.database, lesson.learned, author)
    return lesson


def learn(name: str, embed: Embed, said: dict[str, dict[str, str]]) -> Lesson:
    """Weights for the embedding model of this name, from the rows and from what reviewers said (`{text: {kind:
    value}}`)."""
    shipped, labelled = _shipped(), _labelled(said)
    vectors = np.asarray(embed([example.text for example in [*shipped, *labelled]]), np.float32)
    count = len(shipped)
    whole, before, after = [*shipped, *labelled], _Exam(), _Exam()
    folds = np.array([zlib.crc32(example.template.encode()) % FOLDS for example in whole])
    for fold in range(FOLDS):
        seen, held_out = folds != fold, folds == fold
        plain, full = _taught(name, whole, vectors, seen, count)
        before.sit(plain, whole, vectors, held_out)
        after.sit(full, whole, vectors, held_out)
    _, learned = _taught(name, whole, vectors, np.ones(len(whole), bool), count)
    return Lesson(before.scores(), replace(learned, labels=len(labelled), scores=after.scores()))


class _Exam:
    """Likelihoods beside the truth, gathered fold by fold."""

    def __init__(self) -> None:
        self._marks: dict[str, list[tuple[bool, bool]]] = {kind: [] for kind in NOTICED}

    def sit(self, known: Weights, examples: Sequence[Example], vectors: Floats, held_out: Mask) -> None:
        """Judge the examples that were held out, each in the respects that are known of it."""
        places = np.flatnonzero(held_out).tolist()
        shares = known.shares(vectors[places])
        for kind, wanted in NOTICED.items():
            noticed = known.likelihood(kind, shares) >= BARS[kind]
            for place, seen in zip(places, noticed, strict=True):
                if kind in examples[place].said:
                    self._marks[kind].append((examples[place].said[kind] == wanted, bool(seen)))

    def scores(self) -> tuple[Score, ...]:
        """One score for each of the three."""
        return tuple(_score(kind, marks) for kind, marks in self._marks.items())


def _score(kind: str, marks: list[tuple[bool, bool]]) -> Score:
    true, noticed = np.array(marks).T
    hits, alarms = int((true & noticed).sum()), int((~true & noticed).sum())
    return Score(
        kind,
        len(marks),
        round(hits / int(true.sum()), 4),
        round(alarms / int((~true).sum()), 4),
        round(hits / max(1, hits + alarms), 4),
    )


def _taught(name: str, examples: Sequence[Example], vectors: Floats, seen: Mask, count: int) -> tuple[Weights, Weights]:
    """The weights without the labels (which stand behind the first `count` examples), and those with them."""
    rows_seen = np.flatnonzero(seen[:count]).tolist()
    plain = _fit(name, [examples[place] for place in rows_seen], vectors[rows_seen])
    labels_seen = (count + np.flatnonzero(seen[count:])).tolist()
    if not labels_seen:
        return plain, plain
    placed = [_placed(examples[place], plain, vectors[place]) for place in labels_seen]
    return plain, _fit(name, [*(examples[place] for place in rows_seen), *placed], vectors[rows_seen + labels_seen])


def _placed(example: Example, plain: Weights, vector: Floats) -> Example:
    """The example in the likeliest of the topics that are meant as the reviewer says.

    What is out of scope has no other respects, and no topic is out of scope and urgent, so there they do not count.
    """
    said = {"scope": "out"} if example.said.get("scope") == "out" else example.said
    fitting = [all(getattr(topic, kind) == value for kind, value in said.items()) for topic in plain.topics]
    shares = np.where(fitting, plain.shares(vector[None, :])[0], -1.0)
    return replace(example, topic=plain.topics[int(shares.argmax())].topic)


def _fit(name: str, examples: Sequence[Example], vectors: Floats) -> Weights:
    from sklearn.linear_model import LogisticRegression  # half a second that nobody who asks a question should wait

    softmax = LogisticRegression(C=REGULARISATION, max_iter=3_000)
    softmax.fit(vectors, [example.topic for example in examples], [example.weight for example in examples])
    topics = {topic.topic: topic for topic in rows.topics()}
    named = tuple(topics[str(found)] for found in softmax.classes_)
    return Weights(name, 0, (), named, softmax.coef_.astype(np.float32), softmax.intercept_.astype(np.float32))


def _shipped() -> list[Example]:
    meant = {topic.topic: {kind: getattr(topic, kind) for kind in NOTICED} for topic in rows.topics()}
    return [Example(row.text, meant[row.topic], row.topic, row.template, row.weight) for row in rows.shipped()]


def _labelled(said: dict[str, dict[str, str]]) -> list[Example]:
    return [Example(text, dict(values), "", text, LABEL_WEIGHT) for text, values in said.items()]


def main() -> None:
    """Make the weights that ship, with the embedding server that is running."""
    settings = load_settings()
    lesson = learn(settings.embedding_model, model.embeddings(settings).embed_documents, {})
    weights.ship(lesson.learned)
    for score in lesson.learned.scores:
        print(
            f"{score.kind:<9} from {BARS[score.kind]:.2f}: recall {score.recall:.3f}, precision {score.precision:.3f}, "
            f"false alarms {score.false_alarms:.4f} ({score.texts} texts, templates held out)"
        )


if __name__ == "__main__":
    main()
