"""The style loop, top to bottom: what reviewers approved becomes a voice, if the voice keeps the facts."""

from functools import partial
from typing import Any

from bot import adapters, jobs
from bot.desk import Desk
from bot.records import Job
from ingest import sample
from workers.style import gate, publish
from workers.style.curate import enough, split
from workers.style.examination import Examine, examination
from workers.style.lessons import fit_rows, lesson
from workers.style.recipe import TOKENS_PER_SECOND, Recipe


def improve(desk: Desk, job: Job, examine: Examine = examination) -> None:
    """Train, judge and publish one adapter. Raises `TrainingRefused` or `LeaseLost`, and nothing is published then."""
    from workers.style.train import train  # loads torch, which the worker's other tasks do not need

    tell = partial(jobs.report, desk.database, job)
    publish.clear_interrupted(desk)

    tell({"stage": "curating"})
    rows = fit_rows(desk)
    publish.hand_back(desk, rows)
    learn, held_out = (
        [lesson(desk, row) for row in part] for part in split(enough(rows, desk.settings.train_min_rows))
    )

    name, speaking = adapters.next_name(desk.database), adapters.active(desk.database)
    trained = train(desk.settings, name, learn, held_out, tell, speaking)

    with publish.candidate(desk, job, trained) as candidate:
        voices = [candidate, speaking] if speaking else [candidate]
        questions = gate.pick(sample.questions(), desk.settings.gate_questions)
        with examine(desk, voices, questions, tell) as ask:
            verdict = gate.judge(candidate, speaking, ask)
        tell({"stage": "publishing"})
        publish.decide(desk, job, candidate, verdict, rows.kept)


def plan(desk: Desk) -> dict[str, Any]:
    """What `improve` would do: rows kept and refused, optimizer steps, seconds. Trains and changes nothing."""
    rows = fit_rows(desk)
    learn, held_out = split(rows.kept)
    recipe = Recipe.of(desk.settings)
    seen = [one.meta["tokens_per_second"] for one in adapters.listing(desk.database) if one.meta]
    speed = seen[0] if seen else TOKENS_PER_SECOND
    return {
        "kept": len(rows.kept),
        "held_out": len(held_out),
        "refused": [{"feedback_id": key, "reason": reason} for key, reason in rows.refused],
        "enough": len(rows.kept) >= desk.settings.train_min_rows,
        "steps": recipe.steps(len(learn)),
        "estimated_seconds": recipe.seconds([lesson(desk, row) for row in learn], speed),
    }
