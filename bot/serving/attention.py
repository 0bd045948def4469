"""Attention over requests of different lengths that travel together as one line of tokens, without any padding.

transformers' own forward is used as it is; only its attention function is exchanged, which is what the library offers
`ALL_ATTENTION_FUNCTIONS` for. A line holds first one token of each request that is being written, then the pieces of
prompts that are being read; each attends to the tokens in its own slot only.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch.nn import functional
from transformers import AttentionInterface

from bot.serving.slots import Slots

NAME = "frontdesk"


class Piece(NamedTuple):
    """Tokens of one request: the first stands at `position` of its slot. `chosen` is one that the model has chosen, not
    its prompt's."""

    slot: int
    position: int
    tokens: Sequence[int]
    chosen: bool = False


class Line:
    """The pieces of one step laid end to end; those of one token must come first."""

    def __init__(self, pieces: Sequence[Piece], slots: Slots, device: torch.device) -> None:
        self.slots = slots
        sizes = [len(piece.tokens) for piece in pieces]
        tokens = [token for piece in pieces for token in piece.tokens]
        places = [piece.position + step for piece in pieces for step in range(len(piece.tokens))]
        owners = [piece.slot for piece in pieces for _ in piece.tokens]
        ends = [end - 1 for end in _sums(sizes)]
        together = torch.tensor([*tokens, *places, *owners, *ends], device=device)
        parts = torch.split(together, [len(tokens), len(places), len(owners), len(ends)])
        self.tokens, self.places, self.owners, self.ends = parts
        self.single = sum(size == 1 for size in sizes)
        self.long = [
            (piece, start, _mask(piece, self.slots.keys))
            for piece, start in zip(pieces[self.single :], [0, *_sums(sizes)][self.single :], strict=False)
        ]
        self._lay_singles(pieces[: self.single], device)

    def _lay_singles(self, pieces: Sequence[Piece], device: torch.device) -> None:
        if not pieces:
            return
        held = [piece.slot for piece in pieces]
        self.rows = max(held) + 1
        self.length = max(piece.position for piece in pieces) + 1
        self.slots.clean(self.rows, self.length)
        self.gaps = held != list(range(self.rows))
        last = torch.zeros(self.rows, dtype=torch.long, device=device)
        last[self.owners[: self.single]] = self.places[: self.single]
        beyond = torch.arange(self.length, device=device) > last[:, None]
        self.mask = torch.zeros(self.rows, 1, 1, self.length, device=device, dtype=self.slots.keys.dtype)
        self.mask.masked_fill_(beyond[:, None, None], float("-inf"))


def attend(
    module: Any, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, *_: Any, line: Line, **options: Any
) -> tuple[torch.Tensor, None]:
    """transformers' attention interface: query (1, heads, tokens, dimension) to (1, tokens, heads, dimension)."""
    slots, layer = line.slots, module.layer_idx
    keys, values = slots.keys[layer], slots.values[layer]
    keys[line.owners, :, line.places] = key[0].transpose(0, 1)
    values[line.owners, :, line.places] = value[0].transpose(0, 1)
    scale = options.get("scaling")
    parts = [_singles(query[0, :, : line.single], keys, values, line, scale)] if line.single else []
    for piece, start, mask in line.long:
        end = piece.position + len(piece.tokens)
        mixed = functional.scaled_dot_product_attention(
            query[:, :, start : start + len(piece.tokens)],
            keys[piece.slot : piece.slot + 1, :, :end],
            values[piece.slot : piece.slot + 1, :, :end],
            attn_mask=mask,
            is_causal=mask is None,
            scale=scale,
            enable_gqa=query.shape[1] != keys.shape[1],
        )
        parts.append(mixed[0].transpose(0, 1))
    return (torch.cat(parts) if len(parts) > 1 else parts[0])[None], None


AttentionInterface.register(NAME, attend)


def _singles(
    query: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, line: Line, scale: float | None
) -> torch.Tensor:
    """One token of each of several requests at once: query (heads, requests, dimension), back with heads second."""
    heads, held = query.shape[0], line.owners[: line.single]
    # the heads that share a key stand where tokens usually stand, so no key is copied
    query = query.transpose(0, 1).reshape(line.single, keys.shape[1], -1, query.shape[-1])
    if line.gaps:
        query = query.new_zeros(line.rows, *query.shape[1:]).index_copy_(0, held, query)
    mixed = functional.scaled_dot_product_attention(
        query,
        keys[: line.rows, :, : line.length],
        values[: line.rows, :, : line.length],
        attn_mask=line.mask.expand(-1, -1, query.shape[2], -1),
        scale=scale,
    )
    if line.gaps:
        mixed = mixed[held]
    return mixed.reshape(line.single, heads, -1)


def _mask(piece: Piece, like: torch.Tensor) -> torch.Tensor | None:
    """Minus infinity where a token may not see a token of the slot; None where plain causality says it."""
    if piece.position == 0:
        return None
    places = torch.arange(piece.position + len(piece.tokens), device=like.device)
    later = places[None] > places[piece.position :, None]
    return torch.zeros_like(later, dtype=like.dtype).masked_fill_(later, float("-inf"))


def _sums(sizes: Sequence[int]) -> list[int]:
    total, sums = 0, []
    for size in sizes:
        total += size
        sums.append(total)
    return sums
