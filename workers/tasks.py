"""What Celery may ring for. Every task names a lane and calls one function that lives elsewhere."""

from ingest import pipeline
from workers import running, sweeping
from workers.app import app


@app.task(acks_late=True, reject_on_worker_lost=True, soft_time_limit=540, time_limit=600)
def ingest(lane: str) -> None:
    """Index the next files of a lane, delete what removed documents left behind, or ask again what had no answer."""
    running.work(lane, {"ingest": pipeline.ingest, "forget": pipeline.forget, "gaps": sweeping.answer_gaps})


@app.task
def train(lane: str) -> None:
    """Train, check and publish a style adapter."""
    from workers.style import loop  # torch is loaded by the process that trains, and by no other

    running.work(lane, {"train": lambda desk, held: loop.improve(desk, held[0])})


@app.task
def train_if_due() -> None:
    """Queue a training run when enough new approved rows wait, or some have waited long."""
    sweeping.train_if_due(running.desk())


@app.task
def sweep() -> None:
    """Ring again for jobs whose bell was lost or whose worker died, and clear away what crashes left."""
    sweeping.sweep(running.desk())


@app.task
def look_at_gaps() -> None:
    """Void pinned answers whose documents have changed, and see to the questions that had no answer."""
    sweeping.look_at_gaps(running.desk())


@app.task
def watch_voices() -> None:
    """Roll back a version that does worse with customers, let a canary that held speak to all."""
    sweeping.watch_voices(running.desk())
