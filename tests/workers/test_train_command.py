"""Stopping a training from the command line."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from rich.console import Console
from typer.testing import CliRunner

from bot import db, indexes, jobs, training
from bot.desk import open_desk
from bot.errors import NotAllowed, TrainingRefused
from bot.settings import load_settings
from workers import commands
from workers.training import follow


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[sa.Engine]:
    """The records that the command finds, with a training that a worker has begun."""
    monkeypatch.setenv("FRONTDESK_DATA_DIR", str(tmp_path))
    engine = db.connect(load_settings().database)
    db.migrate(engine)
    indexes.ensure(engine, load_settings())
    with db.writing(engine) as connection:
        jobs.enqueue(connection, "train", "rows", jobs.GPU)
    (job,) = jobs.claim(engine, jobs.GPU)
    jobs.report(engine, job, {"stage": "training", "step": 12, "steps": 27})
    yield engine
    engine.dispose()


def test_a_training_is_stopped_and_the_command_says_where(engine: sa.Engine) -> None:
    result = CliRunner().invoke(commands.app, ["train", "--stop"])
    assert (result.exit_code, result.output) == (0, "Stopped by staff at step 12 of 27.\n")
    assert training.under_way(engine) is None


def test_where_no_training_is_on_the_command_fails_with_a_sentence(engine: sa.Engine) -> None:
    training.stop(engine, "ann")
    result = CliRunner().invoke(commands.app, ["train", "--stop"])
    assert isinstance(result.exception, NotAllowed) and "nothing to stop" in str(result.exception)


def test_whoever_follows_a_training_reads_who_stopped_it(engine: sa.Engine) -> None:
    stopped = training.stop(engine, "ann")
    with pytest.raises(TrainingRefused, match="Stopped by ann at step 12 of 27"):
        follow(open_desk(), stopped.job_id, Console(), as_json=False)
