"""A version that does worse with customers is rolled back by itself, one that does not is left alone."""

import math
import random
from dataclasses import asdict, replace

import pytest
import sqlalchemy as sa

from bot import adapters, conversations, db, preferences, voices, watch
from bot.records import Answer
from bot.watch import FALSE_ALARMS, MEASURES, Tally, log_evidence
from tests.bot.test_feedback import an_answer


@pytest.fixture
def released(engine: sa.Engine) -> sa.Engine:
    """Two versions, of which the first speaks."""
    for name in ("style-v1", "style-v2"):
        with db.writing(engine) as connection:
            adapters.register(connection, name, f"/x/{name}", base="b", meta={}, report={}, state="candidate")
    adapters.activate(engine, "style-v1")
    return engine


def talk(engine: sa.Engine, voice: str | None, count: int, thumb: int | None = None, **changes: object) -> None:
    """Conversations of one answer each, in a version's voice."""
    with db.writing(engine) as connection:
        for _ in range(count):
            name = f"{random.getrandbits(64):x}"
            given: Answer = replace(an_answer(name), adapter=voice, **changes)  # type: ignore[arg-type]
            row = {"conversation_id": name, "created_at": db.now()}
            connection.execute(sa.insert(db.conversations).values(customer="somebody", **row))
            row |= {"answer_id": name, "question": given.question}
            connection.execute(sa.insert(db.answers).values(answer=asdict(given), **row))
            if thumb is not None:
                said = {"answer_id": name, "question": "", "answer": "", "evidence": [], "state": "pending"}
                connection.execute(sa.insert(db.feedback).values(rating=thumb, created_at=db.now(), **said))


def steps(engine: sa.Engine) -> list[tuple[str, str]]:
    return [(one.adapter, one.step) for one in adapters.history(engine) if one.step != "trained"]


def test_a_version_that_abstains_significantly_more_often_is_rolled_back_with_the_reason(released: sa.Engine) -> None:
    # given a version that answered nearly always, and one after it that does not
    talk(released, "style-v1", 60)
    talk(released, "style-v1", 3, abstained=True)
    adapters.activate(released, "style-v2")
    talk(released, "style-v2", 20)
    talk(released, "style-v2", 20, abstained=True)
    # when the schedule looks
    (done,) = watch.look(released)
    # then the one before speaks, and the history says why
    speaking = adapters.active(released)
    assert speaking and speaking.name == "style-v1"
    assert steps(released)[0] == ("style-v2", "rolled back")
    assert "20 of 40 conversations with a question left without an answer, against 3 of 63" in done
    # and a second look changes nothing
    assert watch.look(released) == []


@pytest.mark.parametrize("worse", [{"thumb": 0}, {"dropped": ("Not so.",)}])
def test_thumbs_down_and_held_back_sentences_end_a_canary(released: sa.Engine, worse: dict[str, object]) -> None:
    adapters.start_canary(released, "style-v2")
    talk(released, "style-v1", 60, **({"thumb": 1} if "thumb" in worse else {}))  # type: ignore[arg-type]
    talk(released, "style-v2", 20, **worse)  # type: ignore[arg-type]
    watch.look(released)
    assert adapters.canary(released) is None
    assert steps(released)[0] == ("style-v2", "rolled back")


def test_a_canary_that_holds_speaks_to_all(released: sa.Engine) -> None:
    adapters.start_canary(released, "style-v2")
    talk(released, "style-v1", 20)
    talk(released, "style-v2", watch.ENOUGH_CONVERSATIONS - 1)
    assert watch.look(released) == []
    talk(released, "style-v2", 1)
    watch.look(released)
    speaking = adapters.active(released)
    assert speaking and (speaking.name, speaking.parent) == ("style-v2", "style-v1")


def test_a_handful_of_bad_answers_is_no_proof(released: sa.Engine) -> None:
    talk(released, "style-v1", 20)
    adapters.activate(released, "style-v2")
    talk(released, "style-v2", 8)
    talk(released, "style-v2", 2, abstained=True)
    assert watch.look(released) == []


def test_what_no_version_is_to_blame_for_does_not_count(released: sa.Engine) -> None:
    # given answers that were declined, pinned, asked by nobody, or about a folder with a version of its own
    talk(released, "style-v1", 60)
    voices.pin(released, "products", "style-v2", "ann")
    adapters.activate(released, "style-v2")
    talk(released, "style-v2", 40, abstained=True, declined=True)
    talk(released, "style-v2", 40, abstained=True, pin=7)
    talk(released, "style-v2", 40, abstained=True, parameters={"collection": "products/stoves"})
    conversations.keep(released, replace(an_answer("nobody"), adapter="style-v2", abstained=True), None)
    speaking = adapters.active(released)
    assert speaking and [one.now for one in watch.of_active(released, speaking)] == [Tally(0, 0)] * len(MEASURES)


def test_a_version_without_one_before_it_to_compare_with_is_left_alone(engine: sa.Engine) -> None:
    assert log_evidence(Tally(50, 50), Tally(0, 0)) == 0.0
    assert watch.look(engine) == []


def ever_alarmed(now: float, before: float, seed: int, looks: int = 400) -> bool:
    """Whether the test ever alarms while conversations come in one by one, looked at after each."""
    dice, seen = random.Random(seed), [[0, 0], [0, 0]]
    for number in range(looks):
        side = number % 2
        seen[side][0] += dice.random() < (now, before)[side]
        seen[side][1] += 1
        if log_evidence(Tally(*seen[0]), Tally(*seen[1])) >= math.log(1 / FALSE_ALARMS):
            return True
    return False


def test_looking_after_every_conversation_does_not_raise_the_false_alarms() -> None:
    alarms = sum(ever_alarmed(0.15, 0.15, seed) for seed in range(300))
    assert alarms <= FALSE_ALARMS * 300


def test_a_clear_rise_is_found_while_few_have_suffered_it() -> None:
    assert sum(ever_alarmed(0.5, 0.1, seed) for seed in range(50)) >= 49


def test_a_conversation_keeps_its_voice_and_the_share_is_kept(released: sa.Engine) -> None:
    adapters.start_canary(released, "style-v2")
    preferences.put(released, preferences.CANARY_SHARE, 0.3, "ann")
    names = [f"conversation {number}" for number in range(500)]
    heard = {name: voices.hears("style-v2", name, 0.3) for name in names}
    assert 0.24 < sum(heard.values()) / 500 < 0.36
    for name in names[:20]:
        speaking = voices.speaking(released, name)
        assert speaking and speaking.name == ("style-v2" if heard[name] else "style-v1")
    # who hears it goes on hearing it when more do, and what belongs to no conversation never does
    assert all(voices.hears("style-v2", name, 0.6) for name in names if heard[name])
    alone = voices.speaking(released)
    assert alone and alone.name == "style-v1"


def test_a_folder_can_have_a_version_of_its_own(released: sa.Engine) -> None:
    voices.pin(released, "products", "style-v2", "ann")
    voices.pin(released, "products/tents", "", "ann")
    own, base, other = (
        voices.speaking(released, "c", folder) for folder in ("products/stoves", "products/tents", "productsx")
    )
    assert own and own.name == "style-v2"
    assert base is None
    assert other and other.name == "style-v1"
    voices.unpin(released, "products", "ann")
    assert [one.collection for one in voices.pinned(released)] == ["products/tents"]


def test_a_canary_needs_conversations_to_be_judged_by(released: sa.Engine) -> None:
    assert not voices.may_judge(released)
    talk(released, "style-v1", round(voices.LEAST_CONVERSATIONS / voices.CANARY_SHARE))
    assert voices.may_judge(released)
    preferences.put(released, preferences.CANARY_SHARE, 0, "ann")
    assert not voices.may_judge(released)
