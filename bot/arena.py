"""Two versions side by side on a real question, blind: which answer a reviewer prefers, and what the votes say.

Ratings are the Bradley-Terry model's (Bradley & Terry 1952, "Rank analysis of incomplete block designs", Biometrika
39): a version of strength s beats one of strength t with the probability 1 / (1 + exp(t - s)). A vote for both or for
neither counts as half a win for each. A weak normal prior on the strengths keeps them finite while there are few votes;
the intervals come from the Fisher information of votes and prior. This module knows nothing of pages.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
import sqlalchemy as sa

from bot import adapters, consult, conversations, db, replay
from bot.desk import Desk
from bot.errors import NotAllowed
from bot.records import Answer

Choice = Literal["left", "right", "equal", "both bad"]
WINS: dict[str, float] = {"left": 1.0, "right": 0.0, "equal": 0.5, "both bad": 0.5}  # of the left one
PRIOR_DEVIATION = 1.5  # of a strength; two versions are rarely further apart than 9 votes to 1
SURE = 1.96  # standard errors to either side: 95 %
LATEST_QUESTIONS = 300


@dataclass(frozen=True)
class Contest:
    """One question with two answers. `left` and `right` name versions ("" is the base model); until the vote nobody who
    judges is to see them."""

    contest_id: int
    question: str
    left: str
    right: str
    left_text: str
    right_text: str
    choice: str


@dataclass(frozen=True)
class Rating:
    """How a version does. `share` is how often (0..1) it would be preferred to one of average strength, between `low`
    and `high` with 95 % certainty; `votes` it has had."""

    name: str
    share: float
    low: float
    high: float
    votes: int


@dataclass(frozen=True)
class _Fit:
    """Strengths and their covariance, in the order of `names`."""

    names: tuple[str, ...]
    strengths: np.ndarray
    covariance: np.ndarray
    votes: np.ndarray


def contestants(engine: sa.Engine) -> list[str]:
    """Who can be compared: the base model and every version that passed its checks, the newest first."""
    return [adapters.BASE, *(one.name for one in adapters.listing(engine) if one.state != "rejected")]


def questions(engine: sa.Engine, most: int = LATEST_QUESTIONS) -> dict[str, str]:
    """Customers' questions that were answered by the model, the newest first: the answer's id by question."""
    told, kept = db.answers.c.answer, db.answers.c
    query = (
        sa.select(kept.question, kept.answer_id)
        .where(kept.conversation_id.is_not(None), ~told["abstained"].as_boolean(), told["pin"].as_integer().is_(None))
        .order_by(kept.created_at.desc())
        .limit(most)
    )
    found: dict[str, str] = {}
    for row in db.rows(engine, query):
        found.setdefault(row.question, row.answer_id)
    return found


def begin(desk: Desk, pair: tuple[str, str], reviewer: str, dice: random.Random) -> Contest:
    """Ask both versions a real question that this pair has not had, or had longest ago; who stands left is thrown.
    Raises `NotAllowed` where there is no question yet, `ModelUnavailable` where the model does not answer."""
    source = _next_source(desk.database, pair, dice)
    asked = conversations.answer(desk.database, source)
    collection = str(asked.parameters.get("collection", ""))
    history = replay.heard_before(desk.database, source)
    left, right = dice.sample(pair, 2)
    given = [consult.ask(desk, asked.question, history, name, collection) for name in (left, right)]
    return put(desk.database, source, (left, right), (given[0], given[1]), reviewer)


def put(
    engine: sa.Engine, source: str, names: tuple[str, str], answers: tuple[Answer, Answer], reviewer: str
) -> Contest:
    """Keep a contest, left and right, that waits for its vote."""
    row = {"source_answer_id": source, "question": answers[0].question, "reviewer": reviewer, "choice": ""}
    for side, name, answer in zip(("left", "right"), names, answers, strict=True):
        row |= {side: name, f"{side}_answer_id": answer.answer_id, f"{side}_text": answer.text}
    with db.writing(engine) as connection:
        contest_id = db.new_id(connection.execute(sa.insert(db.contests).values(**row, created_at=db.now())))
    return find(engine, contest_id)


def find(engine: sa.Engine, contest_id: int) -> Contest:
    """One contest. Raises `NotAllowed` where there is none."""
    row = db.one(engine, sa.select(db.contests).where(db.contests.c.contest_id == contest_id))
    if row is None:
        raise NotAllowed("This comparison is not there any more; please begin another one.")
    return _contest(row)


def waiting(engine: sa.Engine, reviewer: str) -> Contest | None:
    """The reviewer's latest contest that has no vote yet."""
    mine = sa.select(db.contests).where(db.contests.c.choice == "", db.contests.c.reviewer == reviewer)
    row = db.one(engine, mine.order_by(db.contests.c.contest_id.desc()).limit(1))
    return None if row is None else _contest(row)


def vote(engine: sa.Engine, contest_id: int, choice: Choice, reviewer: str) -> Contest:
    """Keep which answer was preferred; the first vote counts. Returns the contest, whose versions may be seen now."""
    find(engine, contest_id)
    open_one = (db.contests.c.contest_id == contest_id) & (db.contests.c.choice == "")
    with db.writing(engine) as connection:
        voted = {"choice": choice, "reviewer": reviewer, "voted_at": db.now()}
        connection.execute(sa.update(db.contests).where(open_one).values(**voted))
    return find(engine, contest_id)


def skip(engine: sa.Engine, contest_id: int) -> None:
    """Drop a contest without a vote."""
    with db.writing(engine) as connection:
        open_one = (db.contests.c.contest_id == contest_id) & (db.contests.c.choice == "")
        connection.execute(sa.delete(db.contests).where(open_one))


def count(engine: sa.Engine) -> int:
    """How many votes there are."""
    row = db.one(engine, sa.select(sa.func.count().label("number")).where(db.contests.c.choice != ""))
    return int(row.number) if row else 0


def ratings(engine: sa.Engine) -> list[Rating]:
    """Every contestant that had a vote, the strongest first."""
    votes, known = _votes(engine), set(contestants(engine))
    voted_on = {name for pair in votes for name in pair[:2]} & known
    if not voted_on:
        return []
    fit = _fit(sorted(voted_on), votes)
    centred = fit.strengths - fit.strengths.mean()
    middle = np.eye(len(fit.names)) - 1 / len(fit.names)
    errors = np.sqrt(np.diag(middle @ fit.covariance @ middle))
    rated = [
        Rating(name, _chance(s), _chance(s - SURE * error), _chance(s + SURE * error), int(had))
        for name, s, error, had in zip(fit.names, centred, errors, fit.votes, strict=True)
    ]
    return sorted(rated, key=lambda one: -one.share)


def suggested(engine: sa.Engine) -> tuple[str, str] | None:
    """The pair whose next vote teaches most; None where there are no two. A vote on i and j
    multiplies the determinant of the information (D-optimality, Kiefer & Wolfowitz 1959) by 1 + p (1 - p) var(s_i -
    s_j): most for two that are nearly equal and little known."""
    fit = _fit(contestants(engine), _votes(engine))
    if len(fit.names) < 2:
        return None

    def gain(pair: tuple[int, int]) -> float:
        i, j = pair
        chance = _chance(fit.strengths[i] - fit.strengths[j])
        variance = fit.covariance[i, i] + fit.covariance[j, j] - 2 * fit.covariance[i, j]
        return float(chance * (1 - chance) * variance)

    i, j = max(combinations(range(len(fit.names)), 2), key=gain)
    return fit.names[i], fit.names[j]


def _fit(names: Sequence[str], votes: Sequence[tuple[str, str, float]]) -> _Fit:
    """The most likely strengths given votes (left, right, wins of the left one), by Newton's method."""
    place = {name: number for number, name in enumerate(names)}
    known = [(place[left], place[right], wins) for left, right, wins in votes if left in place and right in place]
    left, right = (np.array([one[side] for one in known], dtype=int) for side in (0, 1))
    wins = np.array([one[2] for one in known])
    strengths, prior = np.zeros(len(names)), np.eye(len(names)) / PRIOR_DEVIATION**2
    design = np.zeros((len(known), len(names)))
    design[np.arange(len(known)), left] += 1
    design[np.arange(len(known)), right] -= 1
    for _ in range(50):
        chance = 1 / (1 + np.exp(-design @ strengths))
        information = design.T @ (design * (chance * (1 - chance))[:, None]) + prior
        step = np.linalg.solve(information, design.T @ (wins - chance) - prior @ strengths)
        strengths = strengths + step
        if np.abs(step).max(initial=0.0) < 1e-9:
            break
    return _Fit(tuple(names), strengths, np.linalg.inv(information), np.abs(design).sum(axis=0))


def _votes(engine: sa.Engine) -> list[tuple[str, str, float]]:
    voted = sa.select(db.contests.c.left, db.contests.c.right, db.contests.c.choice).where(db.contests.c.choice != "")
    return [(row.left, row.right, WINS[row.choice]) for row in db.rows(engine, voted)]


def _next_source(engine: sa.Engine, pair: tuple[str, str], dice: random.Random) -> str:
    found = questions(engine)
    if not found:
        raise NotAllowed("No customer has asked anything yet that the model answered, so there is nothing to compare.")
    table = db.contests.c
    of_pair = sa.select(table.question, sa.func.max(table.contest_id).label("latest"))
    of_pair = of_pair.where(table.left.in_(pair), table.right.in_(pair)).group_by(table.question)
    had = {row.question: row.latest for row in db.rows(engine, of_pair)}
    fresh = [question for question in found if question not in had]
    chosen = dice.choice(fresh) if fresh else min(found, key=lambda question: had[question])
    return found[chosen]


def _chance(difference: float) -> float:
    return float(1 / (1 + np.exp(-difference)))


def _contest(row: db.Row) -> Contest:
    return Contest(
        contest_id=row.contest_id,
        question=row.question,
        left=row.left,
        right=row.right,
        left_text=row.left_text,
        right_text=row.right_text,
        choice=row.choice,
    )
