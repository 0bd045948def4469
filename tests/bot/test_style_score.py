"""The house style: what each part notices, and that the sample company's rewrites keep to what it asks for."""

import json
import statistics
from pathlib import Path

import numpy as np
import pytest
from langchain_core.embeddings import Embeddings

from bot import style
from bot.errors import SettingsError
from bot.lexical import words
from bot.quality import style as measuring
from bot.records import Answer, Timings
from bot.settings import Settings
from bot.style import guide
from bot.style.closeness import Approved
from bot.style.guide import Phrases, Range, Style
from ingest import sample

HOUSE = style.read(guide.SHIPPED)
GOOD = "Happy to help: you'll get your money back within 45 days, and we'll pay the postage of your parcel [1]."


class WordsAsVectors(Embeddings):
    """Unit vectors in which texts with the same words are near."""

    def embed_query(self, text: str) -> list[float]:
        vector = np.full(256, 0.001)
        for word in words(text):
            vector[sum(word.encode()) % 256] += 1
        return list(vector / np.linalg.norm(vector))

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [self.embed_query(text) for text in texts]


def rewrites(field: str) -> list[str]:
    lines = (sample.FOLDER / "rewrites.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line)[field] for line in lines]


def answer(text: str, *, abstained: bool = False) -> Answer:
    return Answer("", "?", text, abstained, False, (), (), (), "tiny", None, "", {}, Timings(0, 0, 0))


def test_what_the_sample_company_approved_is_its_style_and_what_the_documents_say_is_not() -> None:
    approved, original, quoted = (
        statistics.fmean(style.score(text, HOUSE).total for text in rewrites(field))
        for field in ("rewrite", "original", "evidence")
    )
    assert approved >= 85
    assert approved - max(original, quoted) >= 30


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("Happy to help: you'll get it from us.", "length"),
        (GOOD.replace("Happy to help: you", "You"), "greeting"),
        (f"{GOOD} Kind regards, your team.", "closing"),
        ("Happy to help: it's free within 45 days, and the parcel can't be sent back after that date.", "person"),
        ("Happy to help: you will get it within 45 days, and we will pay what it costs you.", "formality"),
        ("Happy to help:\n- you'll get your money back in 45 days\n- we'll pay the postage of it", "form"),
        (GOOD.replace("back", "back, according to our rules,"), "avoid"),
        (GOOD.replace("your money", "reimbursement notwithstanding administrative irregularities, "), "reading level"),
        ("Happy to help: wir zahlen Ihnen das Geld und die Kosten für den Versand mit der Post zurück.", "language"),
    ],
)
def test_each_part_notices_what_it_is_for(text: str, part: str) -> None:
    assert style.score(GOOD, HOUSE).parts[part].value == 1, style.score(GOOD, HOUSE).parts[part]
    found = style.score(text, HOUSE)
    assert found.parts[part].value < 1
    assert found.parts[part].why in found.faults


def test_every_part_of_a_score_says_why() -> None:
    found = style.score(GOOD, HOUSE)
    assert all(part.why.endswith(".") and 0 <= part.value <= 1 for part in found.parts.values())
    assert found.parts["length"].why == "19 words, within 12 to 40."


def test_what_the_style_does_not_ask_for_is_not_measured() -> None:
    assert style.score("Whatever.", Style()).parts == {}
    assert style.score("Whatever.", Style()).total == 100
    assert set(style.score("Sure.", Style(words=Range(least=1, most=5), use=("sure",))).parts) == {"length", "use"}
    unwanted = Style(greeting=Phrases(**{"is": "unwanted", "phrases": ("hello",)}))
    assert style.score("Hello, it is free.", unwanted).total == 0


def test_markers_and_emphasis_are_no_words_of_an_answer() -> None:
    assert style.score("**45 days** [1].", HOUSE).parts["length"] == style.score("45 days.", HOUSE).parts["length"]


def test_an_answer_like_the_approved_ones_is_closer_than_another() -> None:
    approved = Approved.of(WordsAsVectors(), rewrites("rewrite"))
    assert approved is not None
    near, far = (approved.closeness(text).value for text in (GOOD, "The Danube rises in the Black Forest."))
    assert near > 0.8 > far
    assert style.score(GOOD, HOUSE, approved).parts["closeness"].value == near


def test_too_few_approved_answers_say_nothing_of_closeness() -> None:
    assert Approved.of(WordsAsVectors(), [GOOD, GOOD, "Another."]) is None


def test_the_companys_own_style_wins_and_a_wrong_line_is_named(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    assert style.load(settings) == HOUSE
    (tmp_path / "style.yaml").write_text("words: {least: 3}\n", encoding="utf-8")
    assert style.load(settings).words.least == 3
    (tmp_path / "style.yaml").write_text("formality: chummy\n", encoding="utf-8")
    with pytest.raises(SettingsError, match="'formality' is wrong"):
        style.load(settings)
    (tmp_path / "style.yaml").write_text("greetings: yes\n", encoding="utf-8")
    with pytest.raises(SettingsError, match="greetings"):
        style.load(settings)


def test_only_answers_that_were_given_are_measured() -> None:
    report = measuring.measure([answer(GOOD), answer("We do not know.", abstained=True)], HOUSE)
    assert (report.questions, report.answered) == (2, 1)
    assert measuring.figures(report)["style"] == style.score(GOOD, HOUSE).total


def test_two_voices_are_compared_on_what_both_answered() -> None:
    # given ten questions, one of which the second voice does not answer
    before = [answer(text) for text in rewrites("original")[:10]]
    after = [answer(text, abstained=number == 3) for number, text in enumerate(rewrites("rewrite")[:10])]
    # when they are compared
    gained = measuring.gain(before, after, HOUSE)
    # then nine pairs count, the difference is sure, and the better voice wins them all
    assert gained.pairs == 9
    assert gained.difference.low > 0.2
    assert gained.won.value == 1
    # and a voice does not win against itself
    same = measuring.gain(before, before, HOUSE)
    assert (same.difference.value, same.won.value) == (0, 0.5)


def test_without_answers_there_is_nothing_to_measure() -> None:
    assert not measuring.measure([answer("?", abstained=True)], HOUSE).score.measured
    assert measuring.gain([], [], HOUSE).pairs == 0
