"""One training run: AdamW with warm-up and decay, an examination after each epoch, the best epoch kept. A run that was
cut off goes on after its last whole epoch, as if it had not been."""

import math
import random
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
from peft import get_peft_model_state_dict, set_peft_model_state_dict
from torch.optim.lr_scheduler import LambdaLR

from bot.errors import TrainingRefused
from bot.serving.precision import has_bfloat16
from workers.style.batches import Loss, answer_loss, held_out_loss
from workers.style.checkpoint import Checkpoint
from workers.style.progress import drawn
from workers.style.recipe import Recipe

Tell = Callable[[dict[str, Any]], None]
Keep = Callable[[Checkpoint], None]
Sample = Callable[[], dict[str, str]]


class Course:
    """What is learned from, and how far the run has come. `tokens` and `seconds` are of the steps alone,
    `seconds_before` of those before it was cut off. `after_step` is given the student after each step; after each epoch
    `keep` is given all that `go_on` needs, and `sample` says how the student answers by then. `bf16` is whether its
    products are taken in bfloat16. A batch is whatever the loss takes, with its `weight` and `real_tokens`."""

    def __init__(
        self,
        student: Any,
        recipe: Recipe,
        to_learn: Sequence[Any],
        examined: Sequence[Any],
        tell: Tell,
        loss: Loss = answer_loss,
        sample: Sample | None = None,
        after_step: Callable[[Any], None] = lambda _: None,
    ) -> None:
        self.curve: list[dict[str, float]] = []
        self.tokens, self.seconds, self.step = 0, 0.0, 0
        self.best = math.inf
        self.keep: Keep | None = None
        self.seconds_before, self._went_on_from = 0.0, 0
        self._sample, self._samples, self._after_step = sample, list[dict[str, Any]](), after_step
        self._best_weights: dict[str, torch.Tensor] = {}
        self._rises = False
        self.student, self._recipe, self._tell, self._loss = student, recipe, tell, loss
        self._to_learn, self._examined = list(to_learn), examined
        self._parameters = [one for one in student.parameters() if one.requires_grad]
        self._optimizer = torch.optim.AdamW(self._parameters, lr=recipe.learning_rate, weight_decay=0.0, fused=True)
        self.steps = recipe.epochs * len(to_learn)
        self.bf16 = has_bfloat16() if recipe.bf16 is None else recipe.bf16
        self._schedule = LambdaLR(self._optimizer, recipe.schedule(self.steps))

    def run(self, before: float) -> None:
        """All epochs, or fewer where the held-out loss, now `before`, rises; the best weights remain."""
        if not self.curve:
            self.curve.append({"step": 0, "held_out": before})
            self.best, self._best_weights = before, adapter_weights(self.student)
        order = random.Random(self._recipe.seed)
        orders = [order.sample(self._to_learn, len(self._to_learn)) for _ in range(self._recipe.epochs)]
        for shuffled in orders[self.step // len(self._to_learn) :]:
            if self._rises:
                break
            self._epoch(shuffled)
            self._examine()
        set_peft_model_state_dict(self.student, self._best_weights)
        # P-tuning's encoder has done its work: what it said is what was kept, and what speaks from now on
        self.student.active_peft_config.inference_mode = True

    def go_on(self, kept: Checkpoint) -> None:
        """Stand where a run of the same lessons stood when it was cut off, to the last bit."""
        figures, moments = dict(kept.figures), dict[int, dict[str, torch.Tensor]]()
        for name, tensor in kept.tensors["moments"].items():
            number, _, moment = name.partition(".")
            moments.setdefault(int(number), {})[moment] = tensor
        with torch.no_grad():
            for name, weights in self._learned().items():
                weights.copy_(kept.tensors["weights"][name])
        self._best_weights = kept.tensors["best"]
        self._optimizer.load_state_dict({"state": moments, "param_groups": figures["groups"]})
        self._schedule.load_state_dict(figures["schedule"])
        self.step, self.tokens, self.seconds = figures["step"], figures["tokens"], figures["seconds"]
        self.best, self.curve, self._samples = figures["best"], figures["curve"], figures["samples"]
        self._rises, self._went_on_from, self.seconds_before = figures["rises"], self.step, self.seconds
        self._show()

    def _examine(self) -> None:
        loss = self._checked(held_out_loss(self.student, self._examined, self._loss))
        self.curve.append({"step": self.step, "held_out": loss})
        self._rises = loss >= self.best
        if not self._rises:
            self.best = loss
            self._best_weights = adapter_weights(self.student)
        if self._sample:
            self._samples.append({"step": self.step, **self._sample()})
        if self.keep:
            self.keep(self._standing())
        self._show()

    def _standing(self) -> Checkpoint:
        """Where the run stands."""
        optimizer = self._optimizer.state_dict()
        moments = {
            f"{number}.{name}": moment for number, named in optimizer["state"].items() for name, moment in named.items()
        }
        return Checkpoint(
            {"weights": self._learned(), "best": self._best_weights, "moments": moments},
            {
                "step": self.step,
                "tokens": self.tokens,
                "seconds": self.seconds,
                "best": self.best,
                "rises": self._rises,
                "curve": self.curve,
                "samples": self._samples,
                "groups": optimizer["param_groups"],
                "schedule": self._schedule.state_dict(),
            },
        )

    def _learned(self) -> dict[str, torch.Tensor]:
        """What is being learned, by name; of P-tuning the encoder, which is not among the adapter's weights."""
        return {name: weights.data for name, weights in self.student.named_parameters() if weights.requires_grad}

    def _show(self, **loss: float) -> None:
        """Raises `LeaseLost` where the run was stopped."""
        place = {"step": self.step, "steps": self.steps, "from": self._went_on_from}
        self._tell({"stage": "training", **place, "curve": drawn(self.curve), "samples": self._samples, **loss})

    def _epoch(self, shuffled: Sequence[Any]) -> None:
        self.student.train()
        for batch in shuffled:
            begun = time.perf_counter()
            loss = self._learn(batch)
            self.seconds += time.perf_counter() - begun
            self.step, self.tokens = self.step + 1, self.tokens + batch.real_tokens
            self.curve.append({"step": self.step, "loss": loss})
            self._show(loss=round(loss, 4))

    def _learn(self, batch: Any) -> float:
        # products alone are taken in bfloat16: what is learned, its gradient and the losses stay in float32
        with torch.autocast(self.student.device.type, torch.bfloat16, enabled=self.bf16):
            loss = self._loss(self.student, batch) / batch.weight
        self._checked(loss.item())
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(self._parameters, self._recipe.longest_gradient)
        self._optimizer.step()
        self._after_step(self.student)
        self._schedule.step()
        self._optimizer.zero_grad()
        return float(loss.item())

    def _checked(self, loss: float) -> float:
        if not math.isfinite(loss):
            raise TrainingRefused(
                f"The loss became {loss} at step {self.step + 1}, so the training was stopped; set "
                "FRONTDESK_TRAIN_LEARNING_RATE lower and train again."
            )
        return loss


def adapter_weights(student: Any) -> dict[str, torch.Tensor]:
    """A copy of the adapter's weights, as they go into its file. No embedding is among them; were peft to find that out
    by itself, it would ask a model hub about the base."""
    found = get_peft_model_state_dict(student, save_embedding_layers=False)
    return {key: value.clone() for key, value in found.items()}
