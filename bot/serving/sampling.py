"""Which token comes next: the likeliest, or one drawn by temperature from the likeliest that make up `top_p`."""

import torch

from bot.serving.generation import GenerationRequest


class Sampler:
    """Chooses for one request; the same seed draws the same tokens."""

    def __init__(self, request: GenerationRequest, device: torch.device) -> None:
        self._temperature = request.temperature
        self._top_p = request.top_p
        self._chance = torch.Generator(device)
        if request.seed is None:
            self._chance.seed()
        else:
            self._chance.manual_seed(request.seed)

    def choose(self, logits: torch.Tensor) -> int:
        """A token id from logits of shape (vocabulary,)."""
        if self._temperature == 0:
            return int(logits.argmax())
        chances, order = torch.softmax(logits / self._temperature, dim=-1).sort(descending=True)
        # keep a token if those before it have not yet reached top_p, so that one is always left
        chances[chances.cumsum(dim=-1) - chances >= self._top_p] = 0
        return int(order[torch.multinomial(chances, 1, generator=self._chance)])
