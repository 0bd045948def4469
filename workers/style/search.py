"""Which recipe suits these rows: learning rate, rank and epochs, searched by Optuna (Akiba et al. 2019,
arXiv:1907.10902) and judged by the held-out loss. What is set is tried first. The gate judges what comes of it."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from bot.errors import TrainingRefused
from workers.style.recipe import Recipe

RANKS = (4, 8, 16, 32)
WIDEST = 5.0  # times the learning rate that is set, either way
SEARCHED = ("learning_rate", "rank", "epochs")

Attempt = Callable[[Recipe], float]  # the held-out loss that a recipe comes to


def best(recipe: Recipe, trials: int, attempt: Attempt) -> tuple[Recipe, list[dict[str, Any]]]:
    """The best of so many recipes, and what each came to. Raises `TrainingRefused` where Optuna is missing."""
    try:
        import optuna  # large, and few need it
    except ImportError as error:
        raise TrainingRefused(
            "FRONTDESK_TRAIN_SEARCH_TRIALS needs Optuna; install it with pip install 'frontdesk[search]', or set 0."
        ) from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=recipe.seed))
    study.enqueue_trial({name: value for name, value in asdict(recipe).items() if name in SEARCHED})
    study.optimize(lambda trial: attempt(_proposed(trial, recipe)), n_trials=trials)
    tried = [{**trial.params, "held_out": trial.value} for trial in study.trials]
    return recipe.changed(**study.best_params), tried


def _proposed(trial: Any, recipe: Recipe) -> Recipe:
    rate = recipe.learning_rate
    return recipe.changed(
        learning_rate=trial.suggest_float("learning_rate", rate / WIDEST, rate * WIDEST, log=True),
        rank=trial.suggest_categorical("rank", sorted({*RANKS, recipe.rank}) if recipe.rank else [0]),  # of LoRA alone
        epochs=trial.suggest_int("epochs", 1, 2 * recipe.epochs),
    )
