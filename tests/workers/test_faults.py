"""`kill -9` of any one process in the middle of its work: it comes back, and the work is done once."""

import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import sqlalchemy as sa

from bot import consult, db, documents, jobs, training
from bot.errors import FrontdeskError
from ingest import reconcile
from tests import full_stack, tiny
from tests.full_stack import Stack, wait_until

pytestmark = pytest.mark.timeout(1500)

EPOCHS = 10
# the workers and Chroma are killed in tests of their own
PROCESSES = ("broker", "model", "beat", "watcher", "ui")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, models_dir: Path) -> Iterator[Stack]:
    """With a model that is learned from in seconds, over many epochs: time enough to be killed in."""
    model = str(tiny.make(tmp_path_factory.mktemp("models") / "tiny"))
    data = tmp_path_factory.mktemp("faults")
    with full_stack.running(data, models_dir, model=model, gate_questions=4, train_epochs=EPOCHS) as stack:
        yield stack


@pytest.mark.parametrize("name", PROCESSES)
def test_a_killed_process_comes_back_and_dropped_files_are_indexed_once(stack: Stack, name: str) -> None:
    victim = stack.process(name)
    assert victim
    before = len(documents.listing(stack.desk.database))
    for n in range(5):
        (stack.inbox / f"{name}-{n}.md").write_text(f"# Locker {name} {n}\n\nIts code is {name.upper()}-{n}.\n")
        if n == 2:
            victim.send_signal(signal.SIGKILL)
    wait_until(lambda: (found := stack.process(name)) and found.pid != victim.pid, 60)
    wait_until(lambda: _indexed(stack) == before + 5, 180)
    wait_until(lambda: not reconcile.verify(stack.desk).any, 60)
    for n in range(5):
        rows = db.rows(
            stack.desk.database,
            sa.select(db.versions.c.version_id)
            .join(db.documents, db.documents.c.document_id == db.versions.c.document_id)
            .where(db.documents.c.path == f"{name}-{n}.md"),
        )
        assert len(rows) == 1, "each file is one version, indexed once"
    wait_until(lambda: _answers(stack), 60)


def test_a_killed_training_is_taken_up_again_and_makes_one_adapter(stack: Stack) -> None:
    job_id = training.request(stack.desk.settings, stack.desk.database)
    wait_until(lambda: _job(stack, job_id).progress.get("stage") == "training", 400)
    worker = stack.process("gpu-worker")
    assert worker
    children = worker.children(recursive=True)
    worker.send_signal(signal.SIGKILL)
    wait_until(lambda: not any(_alive(child) for child in children), 30)
    wait_until(lambda: _job(stack, job_id).state == "done", 900)
    assert _job(stack, job_id).attempts == 2
    judged = db.rows(stack.desk.database, sa.select(db.adapters.c.name, db.adapters.c.state))
    assert len(judged) == 1 and judged[0].state in ("active", "rejected")


def _indexed(stack: Stack) -> int:
    return sum(document.state == "indexed" for document in documents.listing(stack.desk.database))


def _answers(stack: Stack) -> bool:
    try:
        return not consult.ask(stack.desk, "How long is a gift card valid?").abstained
    except FrontdeskError:
        return False  # it is on its way up


def _job(stack: Stack, job_id: int) -> jobs.Job:
    job = jobs.find(stack.desk.database, job_id)
    assert job
    return job


def _alive(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
