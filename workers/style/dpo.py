"""Direct preference optimization (Rafailov et al. 2023, arXiv:2305.18290): a rewrite is preferred to what it replaced.

The reference is the student as it stands when the pairs are made, which is after the supervised epochs. Its
log-likelihoods are taken once, so that there is never a second model in memory. Tokens that carry facts count in both
answers as little as the lessons say, so that no fact is preferred to another.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch.nn.functional import logsigmoid

from workers.style.batches import Batch, answer_losses, example, held_out_loss, padded
from workers.style.course import Course, Tell
from workers.style.lessons import Lesson
from workers.style.recipe import Recipe

BETA = 0.1  # how far the student may go from the reference; the paper's


@dataclass(frozen=True)
class Pairs:
    """Answers to the same prompts in the same order. `reference`, (rows,), is log p(better) - log p(worse) under the
    reference."""

    better: Batch
    worse: Batch
    reference: torch.Tensor

    @property
    def weight(self) -> int:
        """The number of pairs."""
        return len(self.reference)

    @property
    def real_tokens(self) -> int:
        """Of both answers with their prompts."""
        return self.better.real_tokens + self.worse.real_tokens


def prefer(
    student: Any,
    tokenizer: Any,
    recipe: Recipe,
    lessons: Sequence[Lesson],
    held_out: Sequence[Lesson],
    tell: Tell,
    after_step: Callable[[Any], None] = lambda _: None,
) -> dict[str, Any]:
    """Learn from the lessons that have a worse answer; the best epoch remains, or what there was where none is better.
    Returns how many pairs there were and the curve of the loss; the loss of an indifferent student is log 2."""
    to_learn, examined = (pairs(student, tokenizer, some, recipe.rows_per_batch) for some in (lessons, held_out))
    if not to_learn:
        return {"pairs": 0}
    examined = examined or to_learn
    course = Course(student, recipe.preferring, to_learn, examined, tell, loss, after_step=after_step)
    course.run(held_out_loss(student, examined, loss))
    return {"pairs": sum(some.weight for some in to_learn), "curve": course.curve, "tokens": course.tokens}


def pairs(student: Any, tokenizer: Any, lessons: Sequence[Lesson], size: int) -> list[Pairs]:
    """Batches of pairs, those of like length together."""
    both = [
        (example(tokenizer, one), example(tokenizer, replace(one, answer=one.worse))) for one in lessons if one.worse
    ]
    both.sort(key=lambda pair: len(pair[0].tokens))
    return [_referred(student, both[start : start + size]) for start in range(0, len(both), size)]


def loss(student: Any, some: Pairs) -> torch.Tensor:
    """The sum of -log sigmoid(beta * (log-ratio - reference)), equation 7 of the paper."""
    apart = _log_ratio(student, some.better, some.worse) - some.reference
    return -logsigmoid(BETA * apart).sum()


@torch.no_grad()  # and not inference mode: the reference takes part in a backward pass
def _referred(student: Any, both: Sequence[tuple[Any, Any]]) -> Pairs:
    student.eval()
    better, worse = (padded([pair[side] for pair in both], student.device) for side in (0, 1))
    return Pairs(better, worse, _log_ratio(student, better, worse))


def _log_ratio(student: Any, better: Batch, worse: Batch) -> torch.Tensor:
    return answer_losses(student, worse) - answer_losses(student, better)
