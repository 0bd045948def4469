"""The forward by ONNX Runtime, for a CPU that does not compute in bfloat16: answers are written with weights of 8 bits,
and prompts, where products count and not memory, read with torch's own floats, which take no memory twice.

A prompt's token is always read, also the last one alone, so that an answer does not hang on what was remembered. Keys
and values stand in the same slots whoever wrote them. What the graph does not know (the gains of DoRA) is torch's.
"""

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any

import numpy as np
import onnxruntime
import torch
from torch.nn import functional

from bot.log import get_log
from bot.serving.attention import Piece
from bot.serving.encoders import ERRORS_ONLY
from bot.serving.forward import Forward
from bot.serving.graph import Graph, suits
from bot.serving.mixed import MixedLinear
from bot.serving.mixing import Mix, belonging
from bot.serving.slots import Slots

ELEMENTS = {torch.float32: np.float32, torch.int32: np.int32}
# microseconds for which a thread waits awake for its next product; the default takes the cores from other programs
SPIN = ("session.intra_op.spin_duration_us", "50")
EXAMINATION = 24  # tokens
SAME_ENOUGH = 0.2  # nats from what torch makes of them; 8 bits cost some hundredths, another model several
_NOWHERE = torch.zeros(1)  # for what has no elements, since the runtime wants an address

log = get_log(__name__)


def graph_forward(model: Any, mixed: Sequence[MixedLinear], mix: Mix, slots: Slots, other: Forward) -> Forward:
    """The model by ONNX Runtime; `other`, saying why, if it is built in another way or would be another one."""
    by_name = {layer.names[0]: layer for layer in mixed}
    if not suits(model.config, by_name):
        log.warning("served in floats: 8 bits need bfloat16, or a model built like Llama", kind=model.config.model_type)
        return other
    forward = GraphForward(model, by_name, mix, slots, other)
    if (difference := _difference(forward, other, slots)) > SAME_ENOUGH:
        log.warning("served in floats: 8 bits say something else", divergence=round(difference, 3))
        return other
    return forward


class GraphForward:
    """See `Forward`; `other` does what the graph cannot. The weights are those of `mixed`, in float32."""

    def __init__(self, model: Any, mixed: Mapping[str, MixedLinear], mix: Mix, slots: Slots, other: Forward) -> None:
        self._embedding = model.get_input_embeddings()
        self._mix, self._slots, self._other = mix, slots, other
        self._writing = _Session(Graph(model, mixed, eight_bits=True))
        self._reading = _Session(Graph(model, mixed, eight_bits=False))

    def logits(self, pieces: Sequence[Piece]) -> torch.Tensor:
        """See `Forward`."""
        if self._mix.amplifies and not self._mix.idle:
            return self._other.logits(pieces)
        states = self._embedding(torch.tensor([[token for piece in pieces for token in piece.tokens]]))[0]
        ends = list(accumulate(len(piece.tokens) for piece in pieces))
        chosen = [at for at, piece in enumerate(pieces) if piece.chosen]
        found: torch.Tensor = states.new_empty(len(pieces), self._writing.words)
        if chosen:
            found[chosen] = self._written([pieces[at] for at in chosen], states, [ends[at] - 1 for at in chosen])
        for at, piece in enumerate(pieces):
            if not piece.chosen:
                found[at] = self._read(piece, states, list(range(ends[at] - len(piece.tokens), ends[at])))[0]
        return found

    def _written(self, pieces: Sequence[Piece], states: torch.Tensor, line: list[int]) -> torch.Tensor:
        """Tokens at these places of the line, one each of several requests. A slot between theirs takes part with a
        token that is written beyond what it holds, where its own next token will stand."""
        held = [piece.slot for piece in pieces]
        rows = max(held) + 1
        lengths, places = self._slots.lengths[:rows], [-1] * rows
        for piece, at in zip(pieces, line, strict=True):
            lengths[piece.slot], places[piece.slot] = piece.position, at
        spread = states.new_zeros(rows, 1, states.shape[1])
        spread[held, 0] = states[line]
        return self._run(self._writing, spread, lengths, 0, [[at] for at in places])[held]

    def _read(self, piece: Piece, states: torch.Tensor, line: list[int]) -> torch.Tensor:
        """A piece of a prompt, at these places of the line."""
        return self._run(self._reading, states[None, line], [piece.position + len(line) - 1], piece.slot, [line])

    def _run(
        self, session: "_Session", states: torch.Tensor, lengths: list[int], slot: int, line: list[list[int]]
    ) -> torch.Tensor:
        """states (rows, tokens, hidden) of the slots from `slot` on to logits (rows, vocabulary); `line` (rows, tokens)
        says where in the step's line each token stands, -1 if nowhere."""
        session.bind_slots(self._slots, slot, len(states))
        session.bind_adapters(self._mix, [[self._mix.owner(at) for at in row] for row in line])
        return session.run(states, torch.tensor(lengths, dtype=torch.int32))


class _Session:
    """A graph in the runtime, and the memory that its inputs and outputs are bound to."""

    def __init__(self, graph: Graph) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        options.log_severity_level = ERRORS_ONLY
        options.add_session_config_entry(*SPIN)
        values = [onnxruntime.OrtValue.ortvalue_from_numpy(array) for array in graph.constants.values()]
        options.add_external_initializers(list(graph.constants), values)
        self._session = onnxruntime.InferenceSession(graph.proto(), options, providers=["CPUExecutionProvider"])
        self._layers, self._whole, self.words = graph.layers, graph.whole, graph.words
        self._binding = self._session.io_binding()
        self._held: dict[str, torch.Tensor] = {}  # what is bound, so that it stays
        self._slots: tuple[int, ...] = ()
        self._served: tuple[Any, Any] | None = None
        for name, weight in graph.weights.items():
            self._bind(name, weight)

    def run(self, states: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """states (rows, tokens, hidden) to logits (rows, vocabulary)."""
        logits = torch.empty(len(states), 1, self.words)
        self._bind("states", states)
        self._bind("lengths", lengths)
        self._bind("total", lengths.max()[None] + 1)
        self._binding.bind_output("logits", "cpu", 0, np.float32, tuple(logits.shape), logits.data_ptr())
        self._session.run_with_iobinding(self._binding)
        return logits[:, 0]

    def bind_slots(self, slots: Slots, first: int, rows: int) -> None:
        """Keys and values of so many slots are read and written where they are."""
        bound = (slots.keys.data_ptr(), slots.values.data_ptr(), slots.capacity, first, rows)
        if self._slots == bound:
            return
        self._slots = bound
        for kind, memory in (("key", slots.keys), ("value", slots.values)):
            for layer, each in enumerate(memory[:, first : first + rows]):
                place = ("cpu", 0, np.float32, tuple(each.shape), each.data_ptr())
                self._binding.bind_input(f"past {kind}.{layer}", *place)
                self._binding.bind_output(f"now {kind}.{layer}", *place)

    def bind_adapters(self, mix: Mix, owners: list[list[int]]) -> None:
        """What the mix's adapters do; `owners` (rows, tokens) are their numbers in the mix, -1 for the base."""
        members = mix.members if any(owner >= 0 for row in owners for owner in row) else ()
        if self._served and self._served[0] is members and self._served[1] == owners:
            return
        anew = self._served is None or self._served[0] is not members
        self._served = (members, owners)
        theirs = torch.tensor(owners)
        masks: dict[tuple[int, ...], torch.Tensor] = {}
        for number, layer in enumerate(self._layers):
            stack = layer.stack() if members else None
            ranks = layer.ranks if stack else ()
            if ranks not in masks:
                masks[ranks] = belonging(theirs, ranks)
            mask = masks[ranks]
            self._bind(f"mask.{number}", mask if number < self._whole else mask[:, -1:].contiguous())
            if anew:
                base = layer.base
                self._bind(f"down.{number}", stack.down if stack else torch.empty(0, base.in_features))
                self._bind(f"up.{number}", stack.up if stack else torch.empty(base.out_features, 0))

    def _bind(self, name: str, tensor: torch.Tensor) -> None:
        self._held[name] = tensor
        place = tensor.data_ptr() or _NOWHERE.data_ptr()
        self._binding.bind_input(name, "cpu", 0, ELEMENTS[tensor.dtype], tuple(tensor.shape), place)


def _difference(one: Forward, other: Forward, slots: Slots) -> float:
    """The larger Kullback-Leibler divergence after a prompt and after a token written."""
    tokens = list(range(2, 2 + EXAMINATION))
    slot = slots.take(len(tokens))
    found = []
    with torch.inference_mode():
        for piece in (Piece(slot, 0, tokens[:-1]), Piece(slot, len(tokens) - 1, tokens[-1:], chosen=True)):
            guess, truth = (each.logits([piece]).log_softmax(-1) for each in (one, other))
            found.append(float(functional.kl_div(guess, truth, reduction="sum", log_target=True)))
            slots.written(slot, piece.position + len(piece.tokens))
    slots.give_back(slot)
    return max(found)
