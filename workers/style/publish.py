"""A trained adapter's way into the registry: candidate first, then canary, active or rejected, in one transaction with
the end of its job, so that a run which was taken over publishes nothing."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from bot import adapters, db, feedback, jobs, model, voices
from bot.desk import Desk
from bot.errors import LeaseLost
from bot.records import Adapter, AdapterState, Feedback, Job
from workers.style import report
from workers.style.curate import Curated
from workers.style.gate import Verdict

if TYPE_CHECKING:  # importing it loads torch
    from workers.style.train import Trained

TRAINER = "Frontdesk"
INTERRUPTED = "The run was interrupted."


def clear_interrupted(desk: Desk) -> None:
    """Reject the candidates of runs that died: only one run lives at a time."""
    for adapter in adapters.listing(desk.database):
        if adapter.state == "candidate":
            _reject(desk, adapter.name, INTERRUPTED)


def hand_back(desk: Desk, rows: Curated) -> None:
    """Reject the rows that are not fit to learn from, with the reason for the reviewer to read."""
    for feedback_id, reason in rows.refused:
        feedback.hand_back(desk.database, feedback_id, TRAINER, reason)


@contextmanager
def candidate(desk: Desk, job: Job, trained: "Trained") -> Iterator[Adapter]:
    """Register an adapter so that it can be asked by name; an error before the verdict rejects it, with the reason."""
    jobs.renew(desk.database, job)  # raises where another run has taken over
    with db.writing(desk.database) as connection:
        adapters.register(
            connection,
            trained.name,
            str(trained.path),
            base=trained.meta["base"],
            meta=trained.meta,
            report={},
            state="candidate",
        )
    try:
        yield adapters.find(desk.database, trained.name)
    except LeaseLost:
        _reject(desk, trained.name, INTERRUPTED)
        model.drop_adapter(desk.settings, trained.name)  # it was asked questions
        raise
    except Exception as error:
        _reject(desk, trained.name, f"The check could not be finished: {error}")
        raise


def decide(desk: Desk, job: Job, candidate: Adapter, verdict: Verdict, learned: Sequence[Feedback]) -> None:
    """Let the candidate speak, to some conversations first where there are enough to judge it by, or reject it with the
    report kept, and end the job. Raises `LeaseLost`."""
    report.keep(Path(candidate.path), candidate.name, verdict.report())
    if verdict.passed:
        model.ensure_adapter(desk.settings, candidate)
    state, reason = _next_state(desk, verdict)
    ids = [row.feedback_id for row in learned]
    with db.writing(desk.database) as connection:
        adapters.judge(connection, candidate.name, verdict.report(), state, reason)
        adapters.learned(connection, candidate.name, ids)  # a rejected one, too, has it in its weights
        if verdict.passed:
            feedback.mark_trained(connection, ids, candidate.name)
        jobs.finish(connection, job)
    if not verdict.passed:
        model.drop_adapter(desk.settings, candidate.name)


def _next_state(desk: Desk, verdict: Verdict) -> tuple[AdapterState, str]:
    if not verdict.passed:
        failed = ", ".join(check.name for check in verdict.checks if not check.passed)
        return "rejected", f"It did not pass: {failed}."
    if voices.may_judge(desk.database):
        return "canary", f"It passed every check; {voices.share(desk.database):.0%} of the conversations hear it first."
    return "active", "It passed every check."


def _reject(desk: Desk, name: str, reason: str) -> None:
    with db.writing(desk.database) as connection:
        judged = {"passed": False, "checks": [], "samples": [], "reason": reason}
        adapters.judge(connection, name, judged, "rejected", reason)
