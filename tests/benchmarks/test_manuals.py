"""The generator of manuals: what the benchmarks that use it rely on."""

from itertools import combinations
from pathlib import Path

from tests.benchmarks import manuals


def test_the_same_seed_makes_the_same_files_and_another_makes_others() -> None:
    first, again, other = list(manuals.generate(30)), list(manuals.generate(30)), list(manuals.generate(30, seed=1))

    assert first == again
    assert not {one.path for one in first} & {one.path for one in other}
    assert not {one.mark_question for one in first} & {one.mark_question for one in other}


def test_a_file_states_the_answer_to_its_question_and_its_mark() -> None:
    for manual in manuals.generate(200):
        (answer,) = manual.question.answers
        mark = manual.mark_question.rstrip("?").split()[-1]

        assert answer in manual.text
        assert mark in manual.text
        assert manual.question.documents == (manual.path,)
        assert "{" not in manual.text + manual.question.text
        assert "[" not in manual.text + manual.question.text


def test_files_are_as_long_as_asked() -> None:
    usual = [len(manual.text.split()) for manual in manuals.generate(300)]
    long = [len(manual.text.encode()) for manual in manuals.generate(100, words=(330, 3300))]

    assert min(usual) >= 150
    assert max(usual) <= 900
    assert min(long) >= 2_000
    assert max(long) <= 20_000


def test_no_two_files_share_many_phrases() -> None:
    def phrases(text: str) -> set[tuple[str, ...]]:
        words = text.split()
        return {tuple(words[at : at + 5]) for at in range(len(words) - 4)}

    known = [phrases(manual.text) for manual in manuals.generate(100)]

    assert max(len(one & other) / len(one | other) for one, other in combinations(known, 2)) < 0.2


def test_files_are_written_where_they_say(tmp_path: Path) -> None:
    (manual,) = manuals.generate(1)

    manuals.write([manual], tmp_path)

    assert (tmp_path / manual.path).read_text(encoding="utf-8") == manual.text
