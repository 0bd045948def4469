"""One training run: AdamW with warm-up and decay, an examination after each epoch, the best epoch kept."""

import math
import random
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from peft import get_peft_model_state_dict, set_peft_model_state_dict
from torch.optim.lr_scheduler import LambdaLR

from bot.errors import TrainingRefused
from workers.style.batches import held_out_loss, mean_loss
from workers.style.recipe import Recipe

Tell = Callable[[dict[str, Any]], None]


class Task(NamedTuple):
    """What is learned: the loss of a batch, which a step goes down, and the loss of several held-out ones. A batch is
    whatever both take, and says how many `real_tokens` it has."""

    loss: Callable[[Any, Any], torch.Tensor]
    held_out: Callable[[Any, Sequence[Any]], float]


ANSWERING = Task(mean_loss, held_out_loss)


class Course:
    """What is learned from, and how far the run has come. `tokens` and `seconds` are of the steps alone."""

    def __init__(
        self,
        student: Any,
        recipe: Recipe,
        to_learn: Sequence[Any],
        examined: Sequence[Any],
        tell: Tell,
        task: Task = ANSWERING,
    ) -> None:
        self.curve: list[dict[str, float]] = []
        self.tokens, self.seconds, self.step = 0, 0.0, 0
        self.best = math.inf
        self.student, self._recipe, self._tell, self._task = student, recipe, tell, task
        self._to_learn, self._examined = list(to_learn), examined
        self._parameters = [one for one in student.parameters() if one.requires_grad]
        self._optimizer = torch.optim.AdamW(self._parameters, lr=recipe.learning_rate, weight_decay=0.0)
        self.steps = recipe.epochs * len(to_learn)
        self._schedule = LambdaLR(self._optimizer, self._share_of_rate)

    def run(self, before: float) -> None:
        """All epochs, or fewer where the held-out loss, now `before`, rises; the best weights remain."""
        self.curve.append({"step": 0, "held_out": before})
        self.best, best_weights = before, _weights(self.student)
        order = random.Random(self._recipe.seed)
        for _ in range(self._recipe.epochs):
            self._epoch(order.sample(self._to_learn, len(self._to_learn)))
            loss = self._checked(self._task.held_out(self.student, self._examined))
            self.curve.append({"step": self.step, "held_out": loss})
            if loss >= self.best:
                break
            self.best = loss
            best_weights = _weights(self.student)
        set_peft_model_state_dict(self.student, best_weights)
        # P-tuning's encoder has done its work: what it said is what was kept, and what speaks from now on
        self.student.active_peft_config.inference_mode = True

    def _epoch(self, shuffled: Sequence[Any]) -> None:
        self.student.train()
        for batch in shuffled:
            begun = time.perf_counter()
            loss = self._learn(batch)
            self.seconds += time.perf_counter() - begun
            self.step, self.tokens = self.step + 1, self.tokens + batch.real_tokens
            self.curve.append({"step": self.step, "loss": loss})
            self._tell({"stage": "training", "step": self.step, "steps": self.steps, "loss": round(loss, 4)})

    def _learn(self, batch: Any) -> float:
        loss = self._task.loss(self.student, batch)
        self._checked(loss.item())
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(self._parameters, self._recipe.longest_gradient)
        self._optimizer.step()
        self._schedule.step()
        self._optimizer.zero_grad()
        return float(loss.item())

    def _share_of_rate(self, step: int) -> float:
        """Linear warm-up, then linear decay to zero."""
        warm_up = max(1.0, self._recipe.warmup_share * self.steps)
        return min((step + 1) / warm_up, max(0.0, (self.steps - step) / max(1.0, self.steps - warm_up)))

    def _checked(self, loss: float) -> float:
        if not math.isfinite(loss):
            raise TrainingRefused(
                f"The loss became {loss} at step {self.step + 1}, so the training was stopped; set "
                "FRONTDESK_TRAIN_LEARNING_RATE lower and train again."
            )
        return loss


def _weights(student: Any) -> dict[str, torch.Tensor]:
    return {key: value.clone() for key, value in get_peft_model_state_dict(student).items()}
