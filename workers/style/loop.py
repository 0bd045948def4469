"""The style loop, top to bottom: what reviewers approved becomes a voice, if the voice keeps the facts."""

from collections.abc import Sequence
from typing import Any

from bot import adapters, conversations, feedback, style, training
from bot.desk import Desk
from bot.errors import TrainingRefused
from bot.records import Feedback, Job
from bot.style.closeness import Approved
from ingest import sample
from workers.style import datacard, gate, known, progress, publish
from workers.style.curate import enough
from workers.style.examination import Examine, Tell, examination
from workers.style.known import Sorted
from workers.style.lessons import fit_rows, lesson
from workers.style.recipe import TOKENS_PER_SECOND, Recipe
from workers.style.splitting import Split, split


def improve(desk: Desk, job: Job, examine: Examine = examination) -> None:
    """Train, judge and publish one adapter. Raises `TrainingRefused` or `LeaseLost`, and nothing is published then."""
    from workers.style.train import Notes, train  # loads torch, which the worker's other tasks do not need

    tell = progress.teller(desk.database, job)
    publish.clear_interrupted(desk)

    tell({"stage": "curating"})
    rows = fit_rows(desk)
    publish.hand_back(desk, rows)
    tell({"stage": "curating", "rows": feedback.digest(desk.database)})
    learnable = _known(desk, enough(rows, desk.settings.train_min_rows), tell)
    parts = _split(desk, learnable.kept)
    learn, dev, test = ([lesson(desk, row) for row in part] for part in parts)

    name, speaking = adapters.next_name(desk.database), adapters.active(desk.database)
    notes = Notes(learnable.mix, {datacard.NAME: datacard.written(name, rows, learnable, parts)})
    trained = train(
        desk.settings, name, learn, dev, tell, speaking, test, notes, kept_in=training.checkpoint(desk.settings)
    )

    with publish.candidate(desk, job, trained) as candidate:
        questions = gate.pick(sample.questions(), desk.settings.gate_questions)
        said = [row.rewrite for row in learnable.kept]
        wanted = style.as_kept(style.load(desk.settings), said)
        approved = Approved.of(desk.embeddings, said)
        before, after = examine(desk, [speaking, candidate], questions, tell)
        verdict = gate.judge(candidate, before, after, wanted, approved, spoken=speaking is not None)
        tell({"stage": "publishing"})
        publish.decide(desk, job, candidate, verdict, learnable.kept)
        training.checkpoint(desk.settings).unlink(missing_ok=True)


def plan(desk: Desk) -> dict[str, Any]:
    """What `improve` would do: rows kept and refused, optimizer steps, seconds, bytes of memory. Trains and
    changes nothing. Raises `ModelMissing`."""
    from workers.style.train import memory_plan  # knows the device, and loads torch for that

    rows = fit_rows(desk)
    learn, dev, test = _split(desk, rows.kept)
    recipe = Recipe.of(desk.settings)
    to_learn = [lesson(desk, row) for row in learn]
    seen = [one.meta["tokens_per_second"] for one in adapters.listing(desk.database) if one.meta]
    speed = seen[0] if seen else TOKENS_PER_SECOND
    return {
        "kept": len(rows.kept),
        "held_out": len(dev) + len(test),
        "refused": [{"feedback_id": key, "reason": reason} for key, reason in rows.refused],
        "enough": len(rows.kept) >= desk.settings.train_min_rows,
        "steps": recipe.steps(len(to_learn)),
        "estimated_seconds": recipe.seconds(to_learn, speed),
        "method": recipe.method,
        "memory": memory_plan(desk.settings, recipe, to_learn).figures(),
    }


def _known(desk: Desk, rows: Sequence[Feedback], tell: Tell) -> Sorted:
    """The rows without those whose answer the base does not find in the passages. Raises `TrainingRefused` where hardly
    any is left."""
    from workers.style.train import answering, known_prompts  # loads torch

    settings = desk.settings
    prompts_each = known_prompts(settings)
    if not prompts_each:
        return Sorted(tuple(rows), (), {})
    tell({"stage": "sorting known from unknown"})
    found = known.sort(
        desk,
        rows,
        answering(settings),
        prompts_each=prompts_each,
        samples=settings.train_known_samples,
        seed=Recipe.of(settings).seed,
    )
    if len(found.kept) < settings.train_min_rows // 2:
        raise TrainingRefused(
            f"The model finds only {len(found.kept)} of {len(rows)} approved answers in their passages, and to learn "
            "the others would teach it to make things up; choose a larger FRONTDESK_MODEL, or learn from all with "
            "FRONTDESK_TRAIN_KNOWN_PROMPTS=0."
        )
    return found


def _split(desk: Desk, rows: Sequence[Feedback]) -> Split:
    origins = conversations.origins(desk.database, [row.answer_id for row in rows])
    return split(rows, {answer_id: conversation for answer_id, (conversation, _) in origins.items()})
