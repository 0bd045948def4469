"""Recipes that are tried before a training."""

import sys

import pytest

from bot.errors import TrainingRefused
from bot.settings import Settings
from workers.style import search
from workers.style.lessons import Lesson
from workers.style.recipe import Recipe
from workers.style.train import train

SET = Recipe(rank=16, alpha=32, epochs=3, learning_rate=1e-3)


def test_what_is_set_is_tried_first_and_the_best_is_taken() -> None:
    # given losses that are least at a rank of 8
    tried: list[Recipe] = []

    def attempt(recipe: Recipe) -> float:
        tried.append(recipe)
        return abs(recipe.rank - 8) + recipe.epochs / 100

    found, said = search.best(SET, 12, attempt)
    # then the first try is the recipe as it is set, and the best is found, with the scale that goes with its rank
    assert tried[0] == SET and len(said) == 12
    assert found.rank == 8 and found.alpha == 16
    assert min(one["held_out"] for one in said) == attempt(found)


@pytest.mark.parametrize("method", ["lora", "p-tuning"])
def test_the_training_goes_by_the_recipe_that_was_found(
    settings: Settings, lessons: tuple[list[Lesson], list[Lesson]], method: str
) -> None:
    asked = settings.model_copy(update={"train_search_trials": 2, "train_epochs": 1, "train_method": method})
    meta = train(asked, "style-v1", *lessons, lambda _: None).meta
    best = min(meta["searched"], key=lambda one: one["held_out"])
    assert len(meta["searched"]) == 2
    assert (meta["rank"], meta["learning_rate"]) == (best["rank"], best["learning_rate"])
    # and learns as well by it as it did when it was tried
    assert min(one["held_out"] for one in meta["curve"] if "held_out" in one) == pytest.approx(best["held_out"])


def test_without_the_package_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(TrainingRefused, match=r"frontdesk\[search\]"):
        search.best(SET, 2, lambda _: 0.0)
