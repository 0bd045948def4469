"""A training run that is cut off publishes nothing, and the next one goes on where it was."""

import resource
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa
import torch
from safetensors.torch import load_file

from bot import adapters, db, feedback, jobs, training
from bot.desk import Desk
from bot.errors import LeaseLost
from bot.quality.answers import AnswerReport
from bot.records import Feedback, Job
from bot.settings import Settings
from tests.workers.style.given_training import started
from tests.workers.style.given_voices import HOUSE, PLAIN, Voice, examined_as
from workers import running, sweeping
from workers.style import checkpoint, loop
from workers.style.examination import Tell
from workers.style.lessons import Lesson
from workers.style.progress import drawn, teller
from workers.style.train import Trained, train

Lessons = tuple[list[Lesson], list[Lesson]]


class Watcher:
    """Keeps what a run tells, and cuts it off after so many steps."""

    def __init__(self, steps: float = float("inf")) -> None:
        self.told: list[dict[str, Any]] = []
        self.steps = steps

    def __call__(self, progress: dict[str, Any]) -> None:
        self.told.append(progress)
        if progress.get("step", 0) > self.steps:
            raise LeaseLost("The run was stopped.")

    @property
    def learned(self) -> list[int]:
        """The steps that were taken."""
        return [progress["step"] for progress in self.told if "loss" in progress]


def weights(trained: Trained) -> dict[str, torch.Tensor]:
    return load_file(trained.path / "adapter_model.safetensors")


def same(one: Trained, other: Trained) -> bool:
    """Whether two runs learned the same, to the last bit, in the same way."""
    first, second = weights(one), weights(other)
    equal = first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)
    return equal and all(one.meta[name] == other.meta[name] for name in ("curve", "held_out_after", "tokens"))


@pytest.fixture
def whole(settings: Settings, lessons: Lessons) -> Trained:
    """A run in one piece."""
    return train(settings, "style-v1", *lessons, Watcher())


@pytest.fixture
def kept(settings: Settings) -> Path:
    return training.checkpoint(settings)


def epoch_of(whole: Trained) -> int:
    """The steps of an epoch."""
    return int(whole.meta["curve"][-1]["step"]) // 2


def cut_off(settings: Settings, lessons: Lessons, kept: Path, steps: int) -> None:
    with pytest.raises(LeaseLost):
        train(settings, "style-v2", *lessons, Watcher(steps), kept_in=kept)


@pytest.mark.parametrize("method", ["lora", "dora"])
def test_a_run_that_goes_on_ends_as_one_in_one_piece(
    settings: Settings, lessons: Lessons, kept: Path, method: str
) -> None:
    # given a run that was cut off in its second epoch
    settings = settings.model_copy(update={"train_method": method})
    whole = train(settings, "style-v1", *lessons, Watcher())
    epoch = epoch_of(whole)
    cut_off(settings, lessons, kept, epoch + 1)
    assert not (settings.adapters_dir / "style-v2").exists()
    # when training is asked for again
    watcher = Watcher()
    resumed = train(settings, "style-v2", *lessons, watcher, kept_in=kept)
    # then only the second epoch is learned, which is said, and what comes of it is the same
    assert watcher.learned == [epoch + 1, *range(epoch + 2, 2 * epoch + 1)]
    assert [one["from"] for one in watcher.told if "loss" in one] == [epoch] * epoch
    assert [one["stage"] for one in watcher.told if one["stage"] != "training"] == ["preparing", "examining", "writing"]
    assert same(resumed, whole)


def test_a_run_that_had_learned_all_goes_on_with_its_check(
    settings: Settings, lessons: Lessons, whole: Trained, kept: Path
) -> None:
    finished = train(settings, "style-v2", *lessons, Watcher(), kept_in=kept)
    watcher = Watcher()
    again = train(settings, "style-v3", *lessons, watcher, kept_in=kept)
    assert watcher.learned == []
    assert same(finished, whole) and same(again, whole)


@pytest.mark.parametrize("change", [{"train_learning_rate": 1e-2}, {"train_rank": 8}])
def test_another_recipe_begins_anew(
    settings: Settings, lessons: Lessons, whole: Trained, kept: Path, change: dict[str, Any]
) -> None:
    cut_off(settings, lessons, kept, epoch_of(whole) + 1)
    watcher = Watcher(0)
    with pytest.raises(LeaseLost):
        train(settings.model_copy(update=change), "style-v2", *lessons, watcher, kept_in=kept)
    assert watcher.learned == [1]
    assert not kept.exists()


def test_other_rows_begin_anew_and_what_was_kept_of_the_old_ones_is_erased(
    settings: Settings, lessons: Lessons, whole: Trained, kept: Path
) -> None:
    cut_off(settings, lessons, kept, epoch_of(whole) + 1)
    watcher = Watcher(0)
    with pytest.raises(LeaseLost):
        train(settings, "style-v2", lessons[0][:-1], lessons[1], watcher, kept_in=kept)
    assert watcher.learned == [1]
    assert not kept.exists()


@pytest.mark.parametrize("left", [0, 7, 5_000])
def test_a_damaged_checkpoint_is_ignored(
    settings: Settings, lessons: Lessons, whole: Trained, kept: Path, left: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given a checkpoint of which only the beginning was written
    said: list[str] = []
    monkeypatch.setattr(checkpoint, "log", SimpleNamespace(warning=lambda event, **_: said.append(event)))
    cut_off(settings, lessons, kept, epoch_of(whole) + 1)
    kept.write_bytes(kept.read_bytes()[:left])
    # when training is asked for again
    resumed = train(settings, "style-v2", *lessons, Watcher(), kept_in=kept)
    # then it begins anew, and the log says so
    assert same(resumed, whole)
    assert "begins anew" in said[0] and len(said) == 1


def test_a_disk_too_full_for_checkpoints_does_not_stop_the_training(
    settings: Settings, lessons: Lessons, whole: Trained, kept: Path
) -> None:
    # given a disk that takes files of 20 kB and no more until the adapter is written
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    def tell(progress: dict[str, Any]) -> None:
        full = progress["stage"] == "training"
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000 if full else soft, hard))

    try:
        trained = train(settings, "style-v2", *lessons, tell, kept_in=kept)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert same(trained, whole)
    assert sorted(place.name for place in settings.adapters_dir.iterdir()) == ["style-v1", "style-v2"]


def test_after_each_epoch_the_run_shows_how_it_answers(
    settings: Settings, lessons: Lessons, whole: Trained, kept: Path
) -> None:
    watcher = Watcher()
    train(settings, "style-v2", *lessons, watcher)
    epoch, samples = epoch_of(whole), [one for one in watcher.told if "samples" in one][-1]["samples"]
    assert [one["step"] for one in samples] == [epoch, 2 * epoch]
    assert samples[0]["question"] == lessons[1][0].question != ""
    assert all(isinstance(one["answer"], str) for one in samples)


def test_a_long_curve_is_shown_with_fewer_points_and_every_examination() -> None:
    curve = [{"step": n, "held_out" if n % 100 == 0 else "loss": 1.0} for n in range(2_000)]
    shown = drawn(curve)
    assert len(shown) < 400
    assert [one for one in shown if "held_out" in one] == curve[::100]
    assert drawn(curve[:200]) == curve[:200]


# stopped by a person


def stopping(desk: Desk, when: Callable[[dict[str, Any]], bool]) -> Callable[..., Tell]:
    """In the place of the loop's teller: a person stops the run once it has told something."""

    def watched(engine: sa.Engine, job: Job) -> Tell:
        tell = teller(engine, job)

        def told(progress: dict[str, Any]) -> None:
            tell(progress)
            if when(progress):
                training.stop(engine, "ann")

        return told

    return watched


def stop_in_second_epoch(progress: dict[str, Any]) -> bool:
    return progress["stage"] == "training" and len(progress["samples"]) == 1 and "loss" in progress


@pytest.fixture
def stopped(desk: Desk, server: Any, approved: Sequence[Feedback], monkeypatch: pytest.MonkeyPatch) -> Iterator[Job]:
    """A run that a person has stopped in its second epoch, in a worker; it had handed back a row that is no good."""
    first, invented = approved[0], "You'll also get a voucher worth €20 [1]."
    feedback.add_approved(desk.database, "bad", first.question, first.answer, first.evidence, invented, "ann")
    training.request(desk.settings, desk.database)
    with monkeypatch.context() as patched:
        patched.setattr(loop.progress, "teller", stopping(desk, stop_in_second_epoch))
        running.work(jobs.GPU, {"train": lambda at, held: loop.improve(at, held[0])}, desk)
    job = jobs.latest(desk.database, "train")
    assert job is not None
    yield job


def improve(desk: Desk) -> Job:
    """Ask for training again, and do it."""
    training.request(desk.settings, desk.database)
    (job,) = jobs.claim(desk.database, jobs.GPU)
    loop.improve(desk, job, examined_as(Voice(PLAIN), Voice(HOUSE)))
    return job


def test_a_stopped_run_says_who_stopped_it_and_publishes_nothing(
    desk: Desk, stopped: Job, capsys: pytest.CaptureFixture[str]
) -> None:
    steps = stopped.progress["steps"]
    assert stopped.state == "stopped"
    assert stopped.error == f"Stopped by ann at step {steps // 2 + 1} of {steps}."
    assert adapters.listing(desk.database) == []
    assert [place.name for place in desk.settings.adapters_dir.iterdir()] == [training.checkpoint(desk.settings).name]
    assert feedback.count_new(desk.database) > 40
    assert "Traceback" not in "".join(capsys.readouterr())


def test_a_stopped_run_is_not_started_again_by_itself(desk: Desk, stopped: Job) -> None:
    # given rows of which the run has handed one back, so that they are others than when it was asked for
    [handed_back] = feedback.listing(desk.database, "rejected")
    assert stopped.subject != feedback.digest(desk.database)
    # then the schedule lets it be
    assert "was stopped" in training.outlook(desk.settings, desk.database).reason
    sweeping.train_if_due(desk)
    assert training.under_way(desk.database) is None
    # until another row is approved
    feedback.approve(desk.database, handed_back.feedback_id, "ann", handed_back.answer)
    assert training.is_due(desk.settings, desk.database)


def test_training_again_goes_on_and_leaves_nothing_behind(desk: Desk, stopped: Job) -> None:
    half = stopped.progress["steps"] // 2
    assert training.goes_on_from(desk.settings, desk.database) == half
    job = jobs.find(desk.database, improve(desk).job_id)
    assert job and job.state == "done"
    assert [point["step"] for point in job.progress["curve"] if "loss" in point] == list(range(1, 2 * half + 1))
    assert adapters.find(desk.database, "style-v1").state == "active"
    assert [place.name for place in desk.settings.adapters_dir.iterdir()] == ["style-v1"]
    assert training.goes_on_from(desk.settings, desk.database) is None


def test_the_worker_is_free_for_the_next_job(desk: Desk, stopped: Job) -> None:
    with db.writing(desk.database) as connection:
        jobs.enqueue(connection, "train", "another", jobs.GPU)
    assert [job.subject for job in jobs.claim(desk.database, jobs.GPU)] == ["another"]


def test_a_run_that_is_stopped_while_it_is_checked_leaves_its_candidate_rejected(
    desk: Desk, server: Any, approved: Sequence[Feedback]
) -> None:
    # given a run whose candidate is examined
    def examine(_: Desk, __: Any, ___: Any, tell: Tell) -> Sequence[AnswerReport]:
        tell({"stage": "checking", "step": 1, "steps": 2})
        training.stop(desk.database, "ann")
        tell({"stage": "checking", "step": 2, "steps": 2})
        return [Voice(PLAIN).report(), Voice(HOUSE).report()]

    # when it is stopped
    job = started(desk)
    with pytest.raises(LeaseLost):
        loop.improve(desk, job, examine)
    # then it is rejected, nobody speaks in it, and the next run learns nothing again
    rejected, ended = adapters.find(desk.database, "style-v1"), jobs.find(desk.database, job.job_id)
    assert (rejected.state, rejected.report["reason"]) == ("rejected", "The run was interrupted.")
    assert ended and ended.error == "Stopped by ann while it was checking."
    assert server.loaded == ["tiny"]
    improve(desk)
    spoken = adapters.find(desk.database, "style-v2")
    assert (spoken.state, spoken.meta["curve"]) == ("active", rejected.meta["curve"])


def test_a_run_whose_worker_was_killed_goes_on(desk: Desk, server: Any, approved: Sequence[Feedback]) -> None:
    # given a worker that died in the second epoch
    job, steps = started(desk), list[int]()

    class Killed(BaseException):
        """The end of a process."""

    def dying(engine: sa.Engine, job: Job) -> Tell:
        def tell(progress: dict[str, Any]) -> None:
            if progress["stage"] == "training" and stop_in_second_epoch(progress):
                raise Killed

        return tell

    with pytest.MonkeyPatch.context() as patched, pytest.raises(Killed):
        patched.setattr(loop.progress, "teller", dying)
        loop.improve(desk, job)
    # when another one takes the job over
    with db.writing(desk.database) as connection:
        connection.execute(sa.update(db.jobs).values(lease_until=db.now() - 1))
    (again,) = jobs.claim(desk.database, jobs.GPU)
    assert again.job_id == job.job_id

    def watched(engine: sa.Engine, job: Job) -> Tell:
        return lambda progress: steps.append(progress["step"]) if "loss" in progress else None

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(loop.progress, "teller", watched)
        loop.improve(desk, again, examined_as(Voice(PLAIN), Voice(HOUSE)))
    # then it goes on from the end of the first epoch
    assert steps[0] == len(steps) + 1


# what was learned is erased


def test_what_was_kept_is_erased_when_the_rows_are_others(desk: Desk, stopped: Job) -> None:
    # given a stopped run, which shows how it answers somebody's question
    assert stopped.progress["samples"]
    training.drop_outdated(desk.settings, desk.database)
    assert training.checkpoint(desk.settings).exists()
    # when a row that it has learned from is taken back
    feedback.reopen(desk.database, feedback.trainable(desk.database)[0].feedback_id)
    assert training.goes_on_from(desk.settings, desk.database) is None
    training.drop_outdated(desk.settings, desk.database)
    # then neither is left
    assert not training.checkpoint(desk.settings).exists()
    latest = jobs.latest(desk.database, "train")
    assert latest and "samples" not in latest.progress
