"""Which token comes next, where chance decides: drawn by temperature from the likeliest that make up `top_p`."""

import torch

from bot.serving.generation import GenerationRequest

LEAST_TEMPERATURE = 1e-6


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
        # at next to no temperature the quotient is no number, unless the likeliest is at zero
        chances = torch.softmax((logits - logits.max()) / max(self._temperature, LEAST_TEMPERATURE), dim=-1)
        falling, order = chances.sort(descending=True)
        # keep a token if those before it have not yet reached top_p, and the first however small that is
        beyond = falling.cumsum(dim=-1) - falling >= self._top_p
        chances[order[1:][beyond[1:]]] = 0
        # drawn in the order of the vocabulary: in that of the chances, two tokens that are rounded past each other
        # would change their luck
        return int(torch.multinomial(chances, 1, generator=self._chance))
