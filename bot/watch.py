"""Whether a version does worse with customers than the one before, looked at again and again while answers come in.

Compared are the shares of conversations with a thumb down, with a sentence that was held back as unsupported, and with
a question left without an answer. A conversation counts once, because it keeps its voice.

The test may be looked at as often as one likes. For two streams of yes and no with the unknown shares a (now) and b
(before), the mixture of their likelihoods over a prior, divided by their likelihood at the truth, is a nonnegative
martingale; so, divided by the greatest likelihood for which a <= b, it reaches 1 / alpha with a probability of at most
alpha, ever, where the version does not do worse (Ville 1939; Robbins 1970, "Statistical methods related to the law of
the iterated logarithm"; Wasserman, Ramdas & Balakrishnan 2020, "Universal inference", PNAS 117). The prior is Jeffreys'
Beta(1/2, 1/2). A canary is compared with what others hear at the same time; a version that speaks to all only with what
was heard before it, so that a change of the customers' questions can look like a fault of its own.
"""

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import sqlalchemy as sa

from bot import adapters, db, voices
from bot.errors import AdapterRefused
from bot.records import Adapter

FALSE_ALARMS = 0.05  # the chance that a version no worse than the one before is ever rolled back
ENOUGH_CONVERSATIONS = 100  # after so many without an alarm, a canary speaks to all
WATCHED_DAYS = 30  # after its activation; and as long before it for the version before
MEASURES = {
    "thumbs down": "conversations that a customer rated down",
    "held back": "conversations with a sentence held back as unsupported",
    "no answer": "conversations with a question left without an answer",
}


@dataclass(frozen=True)
class Tally:
    """Conversations, and how many of them had what a measure counts."""

    bad: int
    of: int


@dataclass(frozen=True)
class Comparison:
    """One measure of a version and of the one before. `evidence` is how many times more likely what was seen is if the
    version does worse; an `alarm` is enough of it."""

    measure: str
    now: Tally
    before: Tally

    @property
    def evidence(self) -> float:
        """At least 1 / alpha with a probability of at most alpha where the version does not do worse."""
        return math.exp(min(log_evidence(self.now, self.before), 700.0))

    @property
    def alarm(self) -> bool:
        """Whether it is significantly worse; the measures share the chance of a false alarm."""
        return self.evidence >= len(MEASURES) / FALSE_ALARMS

    def __str__(self) -> str:
        now, before = (f"{one.bad} of {one.of}" for one in (self.now, self.before))
        return f"{now} {MEASURES[self.measure]}, against {before} with the version before."


def look(engine: sa.Engine) -> list[str]:
    """Roll back what does significantly worse, let a canary that held speak to all; what was done, in sentences."""
    done = []
    trial = adapters.canary(engine)
    if trial:
        figures = of_canary(engine, trial)
        alarms = [str(one) for one in figures if one.alarm]
        heard = figures[-1].now.of
        if alarms and adapters.end_canary(engine, reason=" ".join(alarms), name=trial.name):
            done.append(f"The canary {trial.name} was ended: {' '.join(alarms)}")
        elif not alarms and heard >= ENOUGH_CONVERSATIONS:
            reason = f"{heard} conversations heard it, and nothing got significantly worse."
            if adapters.promote_canary(engine, trial.name, reason=reason):
                done.append(f"The canary {trial.name} speaks to all: {reason}")
    speaking = adapters.active(engine)
    alarms = [str(one) for one in of_active(engine, speaking) if one.alarm] if speaking else []
    if speaking and alarms:
        try:
            adapters.roll_back(engine, reason=" ".join(alarms), name=speaking.name)
        except AdapterRefused:  # somebody else has done it in this moment
            return done
        done.append(f"{speaking.name} was rolled back: {' '.join(alarms)}")
    return done


def of_canary(engine: sa.Engine, trial: Adapter) -> list[Comparison]:
    """The canary beside the version that the other conversations hear meanwhile."""
    since = trial.canary_at.timestamp() if trial.canary_at else 0.0
    other = adapters.active(engine)
    now, before = _tallies(engine, trial.name, since), _tallies(engine, other.name if other else None, since)
    return [Comparison(name, now[name], before[name]) for name in MEASURES]


def of_active(engine: sa.Engine, speaking: Adapter) -> list[Comparison]:
    """A version since it speaks to all, beside the one before it; nothing once it has spoken for long."""
    if speaking.activated_at is None:
        return []
    since, days = speaking.activated_at.timestamp(), WATCHED_DAYS * 86_400
    now = _tallies(engine, speaking.name, since, since + days)
    before = _tallies(engine, speaking.parent, since - days, since)
    return [Comparison(name, now[name], before[name]) for name in MEASURES]


def log_evidence(now: Tally, before: Tally) -> float:
    """The logarithm of the evidence that the share of `now` is above that of `before` (see above)."""
    mixed = _log_mixture(now) + _log_mixture(before)
    if not now.of or not before.of:
        return 0.0
    if now.bad * before.of <= before.bad * now.of:  # the shares seen are themselves no worse
        return mixed - _log_likelihood(now, now.bad / now.of) - _log_likelihood(before, before.bad / before.of)
    common = (now.bad + before.bad) / (now.of + before.of)
    return mixed - _log_likelihood(now, common) - _log_likelihood(before, common)


def _log_mixture(one: Tally) -> float:
    """log B(bad + 1/2, rest + 1/2) / B(1/2, 1/2), where B(1/2, 1/2) is pi."""
    return (
        math.lgamma(one.bad + 0.5) + math.lgamma(one.of - one.bad + 0.5) - math.lgamma(one.of + 1) - math.log(math.pi)
    )


def _log_likelihood(one: Tally, share: float) -> float:
    good = one.of - one.bad
    return (one.bad * math.log(share) if one.bad else 0.0) + (good * math.log(1 - share) if good else 0.0)


def _tallies(engine: sa.Engine, name: str | None, since: float, until: float = math.inf) -> dict[str, Tally]:
    """What conversations with a version (None: the base model) had, from a moment until another."""
    pins = voices.pinned(engine)
    seen: dict[str, dict[str, list[bool]]] = {measure: defaultdict(list) for measure in MEASURES}
    for row in db.rows(engine, _answers(name, since, until)):
        if row.declined or row.pin is not None or voices.of_folder(pins, row.collection or "") is not None:
            continue
        seen["held back"][row.conversation_id].append(bool(row.dropped))
        seen["no answer"][row.conversation_id].append(bool(row.abstained))
        if row.rating is not None:
            seen["thumbs down"][row.conversation_id].append(not row.rating)
    return {measure: _tally(of.values()) for measure, of in seen.items()}


def _answers(name: str | None, since: float, until: float) -> sa.Select[*tuple[object, ...]]:
    kept, told = db.answers.c, db.answers.c.answer
    voice = told["adapter"].as_string()
    query = (
        sa.select(
            kept.conversation_id,
            told["abstained"].as_boolean().label("abstained"),
            told["declined"].as_boolean().label("declined"),
            told["pin"].as_integer().label("pin"),
            told["dropped"].label("dropped"),
            told["parameters"]["collection"].as_string().label("collection"),
            db.feedback.c.rating,
        )
        .outerjoin(db.feedback, db.feedback.c.answer_id == kept.answer_id)
        .where(kept.conversation_id.is_not(None), kept.created_at >= since)
        .where(voice.is_(None) if name is None else voice == name)
    )
    return query if until == math.inf else query.where(kept.created_at < until)


def _tally(conversations: Iterable[list[bool]]) -> Tally:
    bad = [any(had) for had in conversations]
    return Tally(sum(bad), len(bad))
