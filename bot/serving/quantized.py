"""A BERT as an 8-bit ONNX graph for the CPU: built once from its weights, then only read.

The graph of a sentence encoder takes the token ids of one text and gives its unit vector. It has no mask because
nothing is ever padded: texts go through one by one, which is as fast as in batches, and so a text has one vector
whatever it travels with (8-bit activations are scaled by the largest of them, which in a batch may be another text's).
No torch here.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import load_file

WEIGHTS = "model.safetensors"
GRAPH_VERSION = 2  # to be raised when the graph changes, so that files of before are not used again
OPSET, IR_VERSION = 17, 8
RUNTIME = "com.microsoft"  # ONNX Runtime's own operators

Floats = npt.NDArray[np.float32]


def suits(folder: Path) -> bool:
    """Whether the graph can be built: a BERT in one file whose sentence vector is the mean over its tokens."""
    needed = [folder / name for name in (WEIGHTS, "config.json", "tokenizer.json", "1_Pooling/config.json")]
    if not all(path.is_file() for path in needed):
        return False
    config, pooling = json.loads(needed[1].read_text()), json.loads(needed[3].read_text())
    # sentence-transformers has written it in two ways
    mean = pooling.get("pooling_mode") == "mean" or pooling.get("pooling_mode_mean_tokens", False)
    absolute = config.get("position_embedding_type", "absolute") == "absolute"
    return bool(config["model_type"] == "bert" and config["hidden_act"] == "gelu" and absolute and mean)


def place(name: str, folder: Path, models: Path) -> Path:
    """Where the graph of a model is kept, made or not; other weights under the same name have another place."""
    with (folder / WEIGHTS).open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
    digest.update(str(GRAPH_VERSION).encode())
    return models / f"{Path(name).name}-int8-{digest.hexdigest()[:16]}.onnx"


def build(folder: Path, file: Path) -> None:
    """Write the graph of the BERT in `folder`: `ids` int32 (1, tokens) to `vector` float32 (1, dimensions)."""
    config, weights = read(folder)
    graph = _Graph(weights, config)
    mean = graph.node("ReduceMean", [graph.states()], axes=[1], keepdims=0)
    graph.node("LpNormalization", [mean], "vector", axis=1, p=2)
    vector = helper.make_tensor_value_info("vector", TensorProto.FLOAT, [1, config["hidden_size"]])
    onnx.save(graph.model(["ids"], vector), str(file))


def build_reader(config: dict[str, Any], weights: dict[str, Floats]) -> bytes:
    """The graph of a BERT that reads: `ids` and `kinds` int32 (1, tokens), kind 0 for the question's tokens and 1 for
    the passage's, to `scores` float32 (1, tokens, 2): how well an answer begins and ends at each. `weights` has its two
    outputs as `qa_outputs`."""
    graph = _Graph(weights, config)
    outputs = graph.constant("outputs", weights["qa_outputs.weight"].T)
    scores = graph.node("MatMul", [graph.states("kinds"), outputs])
    graph.node("Add", [scores, graph.constant("outputs.bias", weights["qa_outputs.bias"])], "scores")
    shown = helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, "tokens", 2])
    return bytes(graph.model(["ids", "kinds"], shown).SerializeToString())


def read(folder: Path) -> tuple[dict[str, Any], dict[str, Floats]]:
    """A BERT's configuration and its weights, by names without the "bert." in front."""
    weights = {name.removeprefix("bert."): array for name, array in load_file(folder / WEIGHTS).items()}
    return json.loads((folder / "config.json").read_text()), weights


class _Graph:
    """Nodes and weights in the making; methods take and return the names of values."""

    def __init__(self, weights: dict[str, Floats], config: dict[str, Any]) -> None:
        self._weights = weights
        self._config = config
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []
        for name, value in (("a 127th", 1 / 127), ("128.5", 128.5), ("one", 1)):
            self.constant(name, np.array(value, np.float32))
        self.constant("128", np.array(128, np.uint8))

    def node(self, operator: str, inputs: list[str], output: str = "", domain: str = "", **attributes: Any) -> str:
        output = output or f"{operator}.{len(self._nodes)}"
        self._nodes.append(helper.make_node(operator, inputs, [output], output, domain=domain, **attributes))
        return output

    def constant(self, name: str, array: npt.NDArray[Any]) -> str:
        self._constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def states(self, kinds: str = "") -> str:
        """The last layer's states, (1, tokens, dimensions)."""
        states = self.embeddings(kinds)
        for layer in range(self._config["num_hidden_layers"]):
            states = self.layer(f"encoder.layer.{layer}.", states)
        return states

    def embeddings(self, kinds: str) -> str:
        """Words, 8 bits each with a scale a word, positions, and `kinds` of tokens; without these all are of the first
        kind."""
        table = self._weights["embeddings.word_embeddings.weight"]
        rows, scales = _eight_bits(table, axis=1)
        positions = self._weights["embeddings.position_embeddings.weight"]
        of_kind = self._weights["embeddings.token_type_embeddings.weight"]
        found = self.node("Gather", [self.constant("words", rows), "ids"])
        scale = self.node("Gather", [self.constant("words.scale", scales), "ids"])
        words = self.node("Mul", [self.node("Cast", [found], to=TensorProto.FLOAT), scale])
        end = self.node("Shape", ["ids"], start=1, end=2)
        start = self.constant("start", np.array([0]))
        first = positions if kinds else positions + of_kind[0]
        placed = self.node("Slice", [self.constant("positions", first), start, end, start])
        if kinds:
            words = self.node("Add", [words, self.node("Gather", [self.constant("of kind", of_kind), kinds])])
        return self.normal("embeddings.", self.node("Add", [words, placed]))

    def layer(self, prefix: str, states: str) -> str:
        heads = self._config["num_attention_heads"]
        parts = [self.linear(f"{prefix}attention.self.{part}", states) for part in ("query", "key", "value")]
        mixed = self.node("MultiHeadAttention", parts, domain=RUNTIME, num_heads=heads)
        mixed = self.linear(f"{prefix}attention.output.dense", mixed)
        states = self.normal(f"{prefix}attention.output.", self.node("Add", [mixed, states]))
        wide = self.node("Gelu", [self.finer_linear(f"{prefix}intermediate.dense", states)], domain=RUNTIME)
        narrow = self.finer_linear(f"{prefix}output.dense", wide)
        return self.normal(f"{prefix}output.", self.node("Add", [narrow, states]))

    def linear(self, name: str, states: str) -> str:
        """Weights in 8 bits with a scale a column; the runtime brings the states to 8 bits as they come."""
        columns, scales = _eight_bits(self._weights[f"{name}.weight"].T, axis=0)
        inputs = [states, self.constant(name, columns), self.constant(f"{name}.scale", scales[0]), ""]
        inputs.append(self.constant(f"{name}.bias", self._weights[f"{name}.bias"]))
        return self.node("DynamicQuantizeMatMul", inputs, domain=RUNTIME)

    def finer_linear(self, name: str, states: str) -> str:
        """The same with a scale a token: here a few tokens have values far above all others', which lose their bits."""
        columns, scales = _eight_bits(self._weights[f"{name}.weight"].T, axis=0)
        largest = self.node("ReduceMax", [self.node("Abs", [states])], axes=[-1], keepdims=1)
        scale = self.node("Mul", [largest, "a 127th"])
        # the runtime is fastest with unsigned states; to cast is to cut, so half is added to round
        shifted = self.node("Add", [self.node("Div", [states, scale]), "128.5"])
        short = self.node("Cast", [shifted], to=TensorProto.UINT8)
        weights = [self.constant(name, columns), "one", self.constant(f"{name}.scale", scales[0]), "128"]
        product = self.node("MatMulIntegerToFloat", [short, *weights], domain=RUNTIME)
        bias = self.constant(f"{name}.bias", self._weights[f"{name}.bias"])
        return self.node("Add", [self.node("Mul", [product, scale]), bias])

    def normal(self, prefix: str, states: str) -> str:
        gain, bias = (
            self.constant(f"{prefix}{part}", self._weights[f"{prefix}LayerNorm.{part}"]) for part in ("weight", "bias")
        )
        return self.node("LayerNormalization", [states, gain, bias], epsilon=self._config["layer_norm_eps"])

    def model(self, inputs: list[str], output: onnx.ValueInfoProto) -> onnx.ModelProto:
        taken = [helper.make_tensor_value_info(name, TensorProto.INT32, [1, "tokens"]) for name in inputs]
        graph = helper.make_graph(self._nodes, "encoder", taken, [output], self._constants)
        operators = [helper.make_opsetid("", OPSET), helper.make_opsetid(RUNTIME, 1)]
        return helper.make_model(graph, opset_imports=operators, ir_version=IR_VERSION)


def _eight_bits(array: Floats, axis: int) -> tuple[npt.NDArray[np.int8], Floats]:
    """Symmetric 8-bit values, and the scales along `axis` (kept as 1) with which they are multiplied."""
    scales = np.maximum(np.abs(array).max(axis, keepdims=True) / 127, np.finfo(np.float32).tiny)
    return np.rint(array / scales).astype(np.int8), scales.astype(np.float32)
