"""A Llama, or a relative of its build, as a graph for ONNX Runtime on a CPU: written out from the layers that torch
holds, once for floats and once for weights of 8 bits.

Inputs: `states` (rows, tokens, hidden), the embeddings of one piece or of one token each of several requests;
`lengths` (rows) int32, where in its slot each row's last token stands, which is one less than what the slot then
holds; `total`, the most that one holds; `past ...` and `now ...`, keys and values of each layer, which are the same
memory; and for every linear layer the adapters' `down` (rank, inputs), `up` (outputs, rank) and `mask` (rows, tokens,
rank), of one token where only the last is needed. Output: `logits` (rows, 1, vocabulary) after the last token. The
operators are described in onnxruntime's docs/ContribOperators.md.
"""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn
from torch.nn import functional

from bot.serving.mixed import MixedLinear

OPSET, IR_VERSION = 18, 9
RUNTIME = "com.microsoft"  # ONNX Runtime's own operators
BLOCK = 16  # weights that share a scale: 32 are as fast, and lose half as much again
EIGHT_BITS, ZERO, LARGEST = 8, 128, 127
WHOLE_STATES = 4  # the runtime's name for products of whole numbers: states are rounded too, by blocks
HEAD_STEP = 16  # the runtime's attention takes heads of so many numbers, or of a multiple
KINDS = {"llama", "mistral", "qwen2"}  # whose layers are built alike
ROPES = {"default", "linear", "llama3", "yarn"}  # that turn a place the same way however long the text is
QUERY, OUT, GATE, NARROW = "self_attn.q_proj", "self_attn.o_proj", "mlp.gate_proj", "mlp.down_proj"
HEAD = "lm_head"

Shape = Sequence[int | str]


def suits(config: Any, mixed: Mapping[str, MixedLinear]) -> bool:
    """Whether the graph says what the model does; `mixed` are its linear layers, by the name of their first part."""
    parts = [f"model.layers.{layer}.{name}" for layer in range(config.num_hidden_layers) for name in (QUERY, GATE)]
    return (
        config.model_type in KINDS
        and config.hidden_act == "silu"
        and _dimension(config) % HEAD_STEP == 0
        and (config.rope_parameters or {}).get("rope_type", "default") in ROPES
        and not (getattr(config, "sliding_window", None) and getattr(config, "use_sliding_window", True))
        and all(name in mixed and len(mixed[name].sizes) == (3 if name.endswith(QUERY) else 2) for name in parts)
    )


class Graph:
    """The graph in the making; methods take and return the names of values.

    `constants` are what it needs beside `proto`, by name; `weights` are inputs too, since the runtime reads those where
    torch has them, while it would keep a copy of its own of a constant.
    """

    def __init__(self, model: Any, mixed: Mapping[str, MixedLinear], eight_bits: bool) -> None:
        self.layers: list[MixedLinear] = []  # in the order of the inputs `down.0`, `down.1`, ...
        self.whole = 0  # how many of them see all tokens; the others, at the end, see the last of each row
        self.constants: dict[str, npt.NDArray[Any]] = {}
        self.weights: dict[str, torch.Tensor] = {}
        self.words = int(model.config.vocab_size)
        self._config, self._mixed, self._eight_bits = model.config, mixed, eight_bits
        self._normals = {name: part.weight for name, part in model.named_modules() if name.endswith("norm")}
        self._nodes: list[onnx.NodeProto] = []
        self._initial: list[onnx.TensorProto] = []
        self._inputs: list[onnx.ValueInfoProto] = []
        self._outputs: list[onnx.ValueInfoProto] = []
        self._heads = int(self._config.num_attention_heads)
        self._key_heads = int(getattr(self._config, "num_key_value_heads", None) or self._heads)
        self._dimension = _dimension(self._config)
        self._rotations(model.model.rotary_emb)
        self._write()

    def proto(self) -> bytes:
        """The graph without its weights."""
        graph = helper.make_graph(self._nodes, "language model", self._inputs, self._outputs, self._initial)
        operators = [helper.make_opsetid("", OPSET), helper.make_opsetid(RUNTIME, 1)]
        return bytes(helper.make_model(graph, opset_imports=operators, ir_version=IR_VERSION).SerializeToString())

    def _write(self) -> None:
        config = self._config
        states = self._input("states", ["rows", "tokens", config.hidden_size])
        self._input("lengths", ["rows"], TensorProto.INT32)
        self._input("total", [1], TensorProto.INT32)
        self._outputs.append(_value("logits", ["rows", 1, self.words]))
        for name, number in (("-1", -1), ("1", 1), ("end", np.iinfo(np.int64).max)):
            self._initial.append(numpy_helper.from_array(np.array([number], np.int64), name))
        for layer in range(config.num_hidden_layers):
            states = self._layer(layer, states)
        head = self._linear(HEAD, self._normal("model.norm", states))
        self._nodes.append(helper.make_node("Identity", [head], ["logits"]))

    def _layer(self, number: int, states: str) -> str:
        prefix = f"model.layers.{number}."
        mixed = self._attention(number, self._linear(prefix + QUERY, self._normal(prefix + "input_layernorm", states)))
        if number == self._config.num_hidden_layers - 1:  # nobody attends to what comes behind
            self.whole = len(self.layers)
            states, mixed = self._last(states), self._last(mixed)
        states = self._node("Add", [states, self._linear(prefix + OUT, mixed)])
        wide = self._linear(prefix + GATE, self._normal(prefix + "post_attention_layernorm", states))
        gate, up = f"gate.{number}", f"wide.{number}"
        self._nodes.append(helper.make_node("Split", [wide], [gate, up], axis=-1, num_outputs=2))
        # x times the sigmoid of x, which is SiLU when the factor in it is one
        gated = self._node("Mul", [self._node("QuickGelu", [gate], RUNTIME, alpha=1.0), up])
        return self._node("Add", [states, self._linear(prefix + NARROW, gated)])

    def _last(self, states: str) -> str:
        """The last token of each row."""
        return self._node("Slice", [states, "-1", "end", "1"])

    def _attention(self, layer: int, packed: str) -> str:
        """`packed` holds queries, keys and values; keys and values are written into their slots."""
        names = [f"{kind}.{layer}" for kind in ("past key", "past value", "now key", "now value", "mixed")]
        shape: Shape = ["rows", self._key_heads, "capacity", self._dimension]
        for name in names[:2]:
            self._input(name, shape)
        self._outputs.extend(_value(name, shape) for name in names[2:4])
        self._nodes.append(
            helper.make_node(
                "GroupQueryAttention",
                [packed, "", "", *names[:2], "lengths", "total", "cosines", "sines"],
                [names[4], *names[2:4]],
                domain=RUNTIME,
                num_heads=self._heads,
                kv_num_heads=self._key_heads,
                do_rotary=1,
            )
        )
        return names[4]

    def _linear(self, name: str, states: str) -> str:
        number, base = len(self.layers), cast(nn.Linear, self._mixed[name].base)
        self.layers.append(self._mixed[name])
        weight = base.weight.detach()
        out = (self._rounded if self._eight_bits else self._plain)(name, weight, states)
        if base.bias is not None:
            out = self._node("Add", [out, self._constant(f"{name}.bias", base.bias.detach())])
        down = self._input(f"down.{number}", [f"rank.{number}", weight.shape[1]])
        up = self._input(f"up.{number}", [weight.shape[0], f"rank.{number}"])
        mask = self._input(f"mask.{number}", ["rows", 1 if self.whole else "tokens", f"rank.{number}"])
        inner = self._node("Mul", [self._node("FusedMatMul", [states, down], RUNTIME, transB=1), mask])
        return self._node("Add", [out, self._node("FusedMatMul", [inner, up], RUNTIME, transB=1)])

    def _plain(self, name: str, weight: torch.Tensor, states: str) -> str:
        self.weights[name] = weight
        return self._node("FusedMatMul", [states, self._input(name, list(weight.shape))], RUNTIME, transB=1)

    def _rounded(self, name: str, weight: torch.Tensor, states: str) -> str:
        outputs, inputs = weight.shape
        blocks = functional.pad(weight, (0, -inputs % BLOCK)).reshape(outputs, -1, BLOCK)
        scales = (blocks.abs().amax(dim=-1) / LARGEST).clamp_min(torch.finfo(torch.float32).tiny)
        short = (blocks / scales[..., None]).round_().add_(ZERO).to(torch.uint8)
        return self._node(
            "MatMulNBits",
            [states, self._constant(f"{name}.short", short), self._constant(f"{name}.scales", scales)],
            RUNTIME,
            K=inputs,
            N=outputs,
            bits=EIGHT_BITS,
            block_size=BLOCK,
            accuracy_level=WHOLE_STATES,
        )

    def _normal(self, name: str, states: str) -> str:
        """Root mean square normalisation (Zhang and Sennrich 2019)."""
        weight = self._constant(name, self._normals[name].detach())
        return self._node("SimplifiedLayerNormalization", [states, weight], axis=-1, epsilon=self._config.rms_norm_eps)

    def _rotations(self, rotary: Any) -> None:
        places = torch.arange(self._config.max_position_embeddings)[None]
        for name, turns in zip(("cosines", "sines"), rotary(torch.zeros(1), places), strict=True):
            # the second half of a head turns as the first does
            self._constant(name, turns[0, :, : self._dimension // 2].contiguous())

    def _constant(self, name: str, tensor: torch.Tensor) -> str:
        self.constants[name] = array = tensor.numpy()
        outside = TensorProto(name=name, dims=array.shape, data_location=TensorProto.EXTERNAL)
        outside.data_type = helper.np_dtype_to_tensor_dtype(array.dtype)
        outside.external_data.add(key="location", value="memory")
        self._initial.append(outside)
        return name

    def _node(self, operator: str, inputs: list[str], domain: str = "", **attributes: Any) -> str:
        output = f"{operator}.{len(self._nodes)}"
        self._nodes.append(helper.make_node(operator, inputs, [output], output, domain=domain, **attributes))
        return output

    def _input(self, name: str, shape: Shape, kind: int = TensorProto.FLOAT) -> str:
        self._inputs.append(_value(name, shape, kind))
        return name


def _dimension(config: Any) -> int:
    return int(getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads)


def _value(name: str, shape: Shape, kind: int = TensorProto.FLOAT) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)
