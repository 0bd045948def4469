"""What Celery may ring for. Every task takes ids and calls one function that lives elsewhere."""

from ingest import pipeline
from workers import running, sweeping
from workers.app import app

INGEST = {"acks_late": True, "reject_on_worker_lost": True, "soft_time_limit": 540, "time_limit": 600}


@app.task(**INGEST)
def ingest(job_id: int) -> None:
    """Index one version of a document."""
    running.work(job_id, pipeline.ingest)


@app.task(**INGEST)
def forget(job_id: int) -> None:
    """Delete what a removed document left behind."""
    running.work(job_id, pipeline.forget)


@app.task
def train(job_id: int) -> None:
    """Train, check and publish a style adapter."""
    from workers.style import loop  # torch is loaded by the process that trains, and by no other

    running.work(job_id, loop.improve)


@app.task
def train_if_due() -> None:
    """Queue a training run when enough new approved rows wait."""
    sweeping.train_if_due(running.desk())


@app.task
def sweep() -> None:
    """Ring again for jobs whose bell was lost or whose worker died, and clear away what crashes left."""
    sweeping.sweep(running.desk())
