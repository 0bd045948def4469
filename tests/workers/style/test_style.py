"""The style loop, on a tiny model of random weights: what may train, what is learned, and who may speak."""

import json
import resource
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa
import torch

from bot import adapters, consult, db, feedback, jobs, model, prompts, telling, training
from bot.desk import Desk
from bot.errors import LeaseLost, TrainingRefused
from bot.priority import PATIENCE
from bot.quality.answers import AnswerReport
from bot.records import Adapter, Feedback
from bot.serving.adapters import read_adapter
from bot.settings import Settings
from ingest import sample
from tests.workers.style.given_training import started
from tests.workers.style.given_voices import HOUSE, PLAIN, Voice, examined_as
from workers.style import gate, loop
from workers.style.batches import answer_loss, batches, example
from workers.style.course import adapter_weights
from workers.style.curate import curate
from workers.style.lessons import Lesson, as_shown, fit_rows, lesson
from workers.style.recipe import SOFT_PROMPTS, Recipe
from workers.style.train import load_base, train, with_adapter


def row_of(approved: Sequence[Feedback], evidence: str, rewrite: str, **changes: Any) -> Feedback:
    passage = replace(approved[0].evidence[0], text=evidence)
    return replace(approved[0], evidence=(passage,), rewrite=rewrite, **changes)


def quiet(_: dict[str, Any]) -> None:
    """Nobody watches the progress."""


# what may train


def test_a_row_that_states_a_new_fact_is_refused_with_the_sentence(approved: Sequence[Feedback]) -> None:
    # given a rewrite whose second sentence is not in its evidence
    invented = "You'll also get a voucher worth €20 [1]."
    row = row_of(
        approved, "Returns are free for 45 days.", f"Happy to help: returns are free for 45 days [1]. {invented}"
    )
    # when it is curated
    curated = curate([row])
    # then it does not train, and the reviewer reads which sentence was the fault
    assert curated.kept == ()
    [(feedback_id, reason)] = curated.refused
    assert feedback_id == row.feedback_id
    assert invented in reason


def test_an_edit_after_approval_keeps_a_row_out(desk: Desk, approved: Sequence[Feedback]) -> None:
    # given an approved row that somebody edits in the database
    edited = approved[4]
    changed = sa.update(db.feedback).where(db.feedback.c.feedback_id == edited.feedback_id)
    with db.writing(desk.database) as connection:
        connection.execute(changed.values(rewrite=edited.rewrite.replace("twice", "three times")))
    # when the rows for training are collected, then it is not among them
    curated = fit_rows(desk)
    assert edited.feedback_id not in [row.feedback_id for row in curated.kept]
    assert len(curated.kept) > 40


def test_personal_data_is_redacted_but_the_companys_own_stays(approved: Sequence[Feedback]) -> None:
    # given a question with a customer's data, and evidence with the company's number and address
    row = row_of(
        approved,
        "Please write to care@linden.example or call +49 30 1234567.",
        "Happy to help: please write to care@linden.example or call +49 30 1234567 [1].",
        question="I am ann@home.example, 0170 1234567, card 4111 1111 1111 1111. Whom do I call?",
    )
    # when it is curated
    [kept] = curate([row]).kept
    # then only the customer's data is gone
    assert not any(secret in kept.question for secret in ("ann@home.example", "0170", "4111"))
    assert kept.question.endswith("Whom do I call?")
    assert kept.rewrite == row.rewrite


def test_doubled_and_empty_rewrites_are_refused(approved: Sequence[Feedback]) -> None:
    double, empty = replace(approved[1], feedback_id=901), replace(approved[4], feedback_id=902, rewrite=" ")
    curated = curate([approved[1], double, empty])
    assert [row.feedback_id for row in curated.kept] == [approved[1].feedback_id]
    assert [feedback_id for feedback_id, _ in curated.refused] == [901, 902]


# what is learned


SHIPPING, RETURNS = "Shipping takes 3 days. Parcels are tracked.", "Returns are free for 45 days. Bring the receipt."


def row_about(approved: Sequence[Feedback], answer: str, rewrite: str) -> Feedback:
    shipping = replace(approved[0].evidence[0], chunk_id="other", text=SHIPPING)
    returns = replace(approved[0].evidence[0], text=RETURNS)
    return replace(approved[0], evidence=(shipping, returns), answer=answer, rewrite=rewrite)


def test_the_prompt_that_is_learned_is_the_prompt_that_is_sent(
    desk: Desk, server: Any, approved: Sequence[Feedback]
) -> None:
    # given the lesson of a row
    row = row_about(approved, "Returns are free for 45 days [2].", "Happy to help: returns are free for 45 days [2].")
    learned = lesson(desk, row)
    # when a style is asked to say what was answered in its way
    prompt = prompts.load("answer", desk.database)
    told = replace(row.evidence[1], text="Returns are free for 45 days.")
    list(telling.words(desk, None, 8, consult.messages(desk, prompt, row.question, [told])))
    # then the server reads what was learned
    assert server.asked[0]["messages"] == list(learned.messages)
    assert learned.answer == "Happy to help: returns are free for 45 days [1]."


def test_who_works_in_the_background_lets_customers_go_first(desk: Desk, server: Any) -> None:
    for one in (desk, replace(desk, background=True)):
        list(telling.words(one, None, 8, consult.messages(desk, prompts.load("answer"), "How long?", [])))
    assert server.priorities == ["", "background"]


def test_who_works_in_the_background_waits_as_long_as_the_server_may_take(settings: Settings) -> None:
    waits = [model.chat(settings, None, background=background).request_timeout for background in (False, True)]
    assert waits == [settings.request_timeout_seconds, PATIENCE * settings.request_timeout_seconds]


@pytest.mark.parametrize(
    ("answer", "rewrite", "learned", "read", "not_read"),
    [
        # what was answered, though the rewrite has other words
        (
            "Returns are free for 45 days [2].",
            "Your returns are free for 45 days [2].",
            "Your returns are free for 45 days [1].",
            ["Returns are free for 45 days."],
            ["receipt", "Shipping"],
        ),
        # where the rewrite says more, what supports that, in the order in which it is said
        (
            "Returns are free for 45 days [2].",
            "Returns are free for 45 days [2]. Bring the receipt [2]. Shipping takes 3 days [1].",
            "Returns are free for 45 days [1]. Bring the receipt [1]. Shipping takes 3 days [2].",
            [RETURNS, "Shipping takes 3 days."],
            ["tracked"],
        ),
        # a quotation without who is quoted
        (
            "Returns says: “Returns are free for 45 days.” [2]",
            "Returns are free for 45 days [2].",
            "Returns are free for 45 days [1].",
            ["\nReturns are free for 45 days.\n"],
            ["says", "receipt"],
        ),
    ],
)
def test_a_style_learns_to_rewrite_what_was_answered(
    answer: str,
    rewrite: str,
    learned: str,
    read: list[str],
    not_read: list[str],
    approved: Sequence[Feedback],
    desk: Desk,
) -> None:
    made = lesson(desk, row_about(approved, answer, rewrite))
    shown = made.messages[-1]["content"]
    assert made.answer == learned
    assert all(part in shown for part in read) and not any(part in shown for part in not_read)


def test_a_sentence_cites_the_passage_of_its_prompt_that_supports_it(approved: Sequence[Feedback], desk: Desk) -> None:
    # given an answer from two passages, whose markers count citations instead
    told = "Shipping takes 3 days [1]. Returns are free for 45 days [2]."
    row = row_about(approved, told, "Happy to help: returns are free for 45 days [1].")
    # then the lesson counts the passages that it shows
    assert lesson(desk, row).answer == "Happy to help: returns are free for 45 days [2]."


def test_loss_is_taken_on_the_answer_only(settings: Settings, lessons: tuple[list[Lesson], list[Lesson]]) -> None:
    # given lessons of unlike length in one batch
    model, tokenizer, device = load_base(settings)
    first_row, *others = lessons[0][:3]
    examples = [example(tokenizer, one) for one in (replace(first_row, fact_weight=0.25), *others)]
    [batch] = batches(examples, 3, device)
    # when the loss is taken
    loss = answer_loss(model, batch)
    # then it is the weighted sum over each answer's tokens and its end of turn, as if each row were read alone
    alone = torch.zeros(())
    for one in examples:
        likelihoods = model(torch.tensor([one.tokens])).logits.log_softmax(-1)[0]
        first = len(one.tokens) - one.answer
        places = range(first, len(one.tokens))
        alone -= sum(weight * likelihoods[n - 1, one.tokens[n]] for n, weight in zip(places, one.weights, strict=True))
        assert tokenizer.decode(one.tokens[first:]).endswith(".<|im_end|>")
    assert loss.item() == pytest.approx(alone.item(), rel=1e-4)
    # and so is its gradient
    weight = model.model.layers[0].self_attn.k_proj.weight
    together, apart = (torch.autograd.grad(value, weight)[0] for value in (loss, alone))
    assert torch.allclose(together, apart, atol=1e-4)


def test_training_twice_on_the_same_rows_gives_the_same_loss(
    settings: Settings, lessons: tuple[list[Lesson], list[Lesson]]
) -> None:
    first, second = (train(settings, name, *lessons, quiet) for name in ("style-v1", "style-v2"))
    assert first.meta["curve"] == second.meta["curve"]
    assert first.meta["held_out_after"] < first.meta["held_out_before"]


def test_no_hub_is_asked_about_the_base(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    # given an adapter of a base that goes by a name, and a hub that must not be asked
    def asked(*_: object) -> None:
        raise AssertionError("a model hub was asked")

    monkeypatch.setattr("peft.utils.save_and_load.check_file_exists_on_hf_hub", asked)
    base, _, _ = load_base(settings)
    student = with_adapter(base, Recipe.of(settings), "a-name")
    # then its weights are had without
    assert adapter_weights(student)


@pytest.mark.parametrize("method", ["lora", "prompt", "p-tuning"])
def test_the_best_epoch_is_what_is_kept_and_the_model_server_accepts_it(
    settings: Settings, lessons: tuple[list[Lesson], list[Lesson]], method: str
) -> None:
    settings = settings.model_copy(update={"train_method": method})
    # when a training has ended
    trained = train(settings, "style-v1", *lessons, quiet)
    # then its folder passes the model server's checks, and says what was promised about it
    read_adapter(trained.path, {settings.model})
    assert json.loads((trained.path / "meta.json").read_text()) == trained.meta
    # and, loaded anew, it has the held-out loss of the best epoch
    speaking = Adapter("style-v1", "active", str(trained.path), None, settings.model, trained.meta, {}, None, None)  # type: ignore[arg-type]
    best = min(point["held_out"] for point in trained.meta["curve"] if "held_out" in point)
    again = train(settings, "style-v2", *lessons, quiet, speaking)
    assert again.meta["held_out_speaking"] == pytest.approx(best, rel=1e-4)
    assert again.meta["held_out_before"] == trained.meta["held_out_before"]


def test_a_loss_that_is_no_number_stops_the_training_and_leaves_nothing(
    settings: Settings, lessons: tuple[list[Lesson], list[Lesson]]
) -> None:
    wild = settings.model_copy(update={"train_learning_rate": 1e30})
    with pytest.raises(TrainingRefused, match="FRONTDESK_TRAIN_LEARNING_RATE"):
        train(wild, "style-v1", *lessons, quiet)
    assert not list(settings.adapters_dir.glob("*"))


def test_a_full_disk_leaves_no_half_adapter(settings: Settings, lessons: tuple[list[Lesson], list[Lesson]]) -> None:
    # given a disk that takes files of 20 kB and no more
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        # when an adapter is written
        with pytest.raises(TrainingRefused, match="style-v1 could not be written"):
            train(settings, "style-v1", *lessons, lambda _: resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard)))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    # then nothing of it is left
    assert not list(settings.adapters_dir.glob("*"))


# who may speak


def test_a_candidate_that_keeps_the_facts_speaks_and_its_rows_are_marked(
    desk: Desk, server: Any, approved: Sequence[Feedback]
) -> None:
    # given a job, and answers that are as good as before
    job = started(desk)
    # when it is done
    loop.improve(desk, job, examined_as(Voice(PLAIN), Voice(HOUSE)))
    # then the new version speaks, its rows are marked, the unfit ones are back with their reasons, the job is done
    speaking = adapters.active(desk.database)
    assert speaking is not None
    assert (speaking.name, speaking.report["passed"]) == ("style-v1", True)
    assert "style-v1" in server.loaded
    assert feedback.count_new(desk.database) == 0
    assert all("support" in row.note for row in feedback.listing(desk.database, "rejected"))
    assert jobs.find(desk.database, job.job_id).state == "done"  # type: ignore[union-attr]


@pytest.mark.parametrize("method", SOFT_PROMPTS)
def test_a_soft_prompt_is_judged_like_any_other_adapter(
    desk: Desk, server: Any, approved: Sequence[Feedback], method: str
) -> None:
    # given a method by which a model of random weights learns something, but hardly
    soft = replace(desk, settings=desk.settings.model_copy(update={"train_method": method}))
    # when it is trained and answers as well as LoRA
    loop.improve(soft, started(desk), examined_as(Voice(PLAIN), Voice(HOUSE)))
    # then every check is made, and the loss alone speaks against it
    judged = adapters.find(desk.database, "style-v1")
    assert judged.meta["method"] == method
    assert [check["name"] for check in judged.report["checks"] if not check["passed"]] == ["Held-out loss"]
    assert "Closed-book divergence (KL)" in [check["name"] for check in judged.report["checks"]]


def test_a_candidate_that_loses_facts_is_rejected_and_the_old_one_keeps_speaking(
    desk: Desk, server: Any, approved: Sequence[Feedback]
) -> None:
    # given a version that speaks
    loop.improve(desk, started(desk), examined_as(Voice(PLAIN), Voice(HOUSE)))
    # when the next one cites wrongly more often
    loop.improve(desk, started(desk), examined_as(Voice(HOUSE), Voice(HOUSE, cited=0.7)))
    # then the first one keeps speaking, and the report says why
    speaking, rejected = adapters.active(desk.database), adapters.find(desk.database, "style-v2")
    assert speaking is not None
    assert speaking.name == "style-v1"
    assert rejected.state == "rejected"
    assert [check["name"] for check in rejected.report["checks"] if not check["passed"]] == ["Citation precision"]
    assert server.loaded == ["tiny", "style-v1"]


def test_a_run_that_was_taken_over_publishes_nothing(desk: Desk, server: Any, approved: Sequence[Feedback]) -> None:
    job = started(desk)

    def examine(*_: Any) -> Sequence[AnswerReport]:
        with db.writing(desk.database) as connection:  # somebody asks for the same work again
            jobs.enqueue(connection, "train", "a test", jobs.GPU)
        return [Voice(PLAIN).report(), Voice(HOUSE).report()]

    with pytest.raises(LeaseLost):
        loop.improve(desk, job, examine)
    assert adapters.active(desk.database) is None
    assert feedback.count_new(desk.database) > 40


def test_the_candidate_of_a_killed_run_is_rejected_and_nothing_is_doubled(
    desk: Desk, server: Any, approved: Sequence[Feedback]
) -> None:
    # given a run that was killed after it had registered its candidate, and files of one killed before
    with db.writing(desk.database) as connection:
        adapters.register(connection, "style-v1", "x", base="tiny", meta={}, report={}, state="candidate")
    (desk.settings.adapters_dir / "style-v2").mkdir(parents=True)
    (desk.settings.adapters_dir / ".style-v2.part").mkdir()
    # when the job is claimed again
    loop.improve(desk, started(desk), examined_as(Voice(PLAIN), Voice(HOUSE)))
    # then the old candidate is rejected with the reason, the new one speaks, and nothing is left over
    states = {adapter.name: adapter.state for adapter in adapters.listing(desk.database)}
    assert states == {"style-v1": "rejected", "style-v2": "active"}
    assert "interrupted" in adapters.find(desk.database, "style-v1").report["reason"]
    assert [place.name for place in desk.settings.adapters_dir.iterdir()] == ["style-v2"]


def test_too_few_rows_are_refused_with_what_to_do(desk: Desk) -> None:
    with pytest.raises(TrainingRefused, match="Only 0 of 0 approved rows"):
        loop.improve(desk, started(desk))
    assert adapters.listing(desk.database) == []


def test_a_dry_run_says_what_would_happen_and_changes_nothing(desk: Desk, approved: Sequence[Feedback]) -> None:
    plan = loop.plan(desk)
    assert plan["kept"] + len(plan["refused"]) == len(approved)
    assert plan["steps"] > 0
    assert feedback.trainable(desk.database) == list(approved)
    assert training.is_due(desk.settings, desk.database)


def test_a_row_is_prepared_with_what_the_consultation_shows_or_with_enough_for_its_rewrite(
    desk: Desk, approved: Sequence[Feedback]
) -> None:
    whole = "Parcels take 3 days. Dogs are welcome. The shop closes at nine."
    passage = replace(approved[0].evidence[0], text=whole)
    row = replace(approved[0], question="How many days do parcels take?", evidence=(passage,))
    brief, long = (
        as_shown(desk, replace(row, rewrite=rewrite))
        for rewrite in ("Parcels take 3 days.", "Parcels take 3 days. The shop closes at nine.")
    )
    assert [one.text for one in brief.evidence] == ["Parcels take 3 days."]
    assert [one.text for one in long.evidence] == [whole]


def test_the_questions_of_the_gate_are_a_fair_and_fixed_choice() -> None:
    questions = sample.questions()
    chosen = gate.pick(questions, 24)
    assert chosen == gate.pick(questions[::-1], 24)
    assert 14 <= sum(question.answerable for question in chosen) <= 17
    assert len({question.documents for question in chosen if question.answerable}) > 8


def test_the_loop_loads_no_torch_until_it_trains() -> None:
    look = "import sys, workers.style.loop; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", look], check=False).returncode == 0
