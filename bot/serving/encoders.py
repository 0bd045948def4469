"""What turns texts into unit vectors, and the one place that chooses how: 8 bits on a CPU, or sentence-transformers."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import onnxruntime
from tokenizers import Tokenizer

from bot.serving import quantized
from bot.serving.lanes import cores
from bot.tokens import window_of

SAME_ENOUGH = 0.98  # mean cosine to the vectors of sentence-transformers, below which a model stays as it is
EXAMINATION = (
    "When do you open?",
    "Refunds are paid within 14 days to the card that was used.",
    "The router's green light blinks while it looks for an update; do not unplug it before the light is steady.",
    "Der Laden schließt um 18 Uhr.",
    "404",
    "Our ferrets eat meat, twice a day, and sleep for most of the rest of it. " * 8,
    "1. Press and hold the side key.\n2. Choose “Restart”.\n3. Wait until the logo is shown, then enter the PIN. " * 20,
)
# the fused operator is scalar code: without it a text takes a quarter less time
DISABLED_FUSIONS = ["SkipLayerNormFusion"]
ERRORS_ONLY = 3
# processors without VNNI add products of 8 bits up in 16, which may not hold them; so they multiply more slowly, and
# rightly (onnxruntime_session_options_config_keys.h)
NO_OVERFLOW = ("session.x64quantprecision", "1")

Vectors = npt.NDArray[np.float32]


class Embedded(NamedTuple):
    """Vectors of shape (texts, dimensions), each of length 1, and how many tokens were read."""

    vectors: Vectors
    tokens: int


class Encoder(Protocol):
    """Embeds texts in the calling thread; any number of threads may call."""

    threads: int  # how many calls at once make sense
    texts_a_call: int  # and with how many texts each

    def encode(self, texts: list[str]) -> Embedded:
        """Unit vectors in the order of the texts; longer texts are cut to the model's window."""
        ...


class QuantizedEncoder:
    """The 8-bit graph. It makes no threads of its own: one text is one thread's work, and has the thread's priority."""

    texts_a_call = 1

    def __init__(self, file: Path, folder: Path) -> None:
        self.threads = cores()
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(window_of(folder))
        self._session = session(str(file))

    def encode(self, texts: list[str]) -> Embedded:
        """Unit vectors in the order of the texts; longer texts are cut to the model's window."""
        ids = [self._tokenizer.encode(text).ids for text in texts]
        vectors = [self._session.run(None, {"ids": np.array([row], np.int32)})[0][0] for row in ids]
        return Embedded(np.array(vectors, np.float32), sum(len(row) for row in ids))


class TorchEncoder:
    """Any sentence-transformers model, on a GPU if there is one; torch has threads of its own."""

    threads = 1
    texts_a_call = 128  # sorted by length in here, so that the batches within pad little
    batch_texts = 32

    def __init__(self, folder: Path) -> None:
        from sentence_transformers import SentenceTransformer  # large, and mostly not needed
        from transformers.utils.logging import disable_progress_bar

        disable_progress_bar()  # type: ignore[no-untyped-call]  # reading the weights takes no second
        self._model: Any = SentenceTransformer(str(folder), trust_remote_code=False)

    def encode(self, texts: list[str]) -> Embedded:
        """Unit vectors in the order of the texts; longer texts are cut to the model's window."""
        vectors = self._model.encode(
            texts,
            batch_size=self.batch_texts,
            normalize_embeddings=True,
            convert_to_numpy=True,
            show_progress_bar=False,
        )
        ids = self._model.tokenizer(texts, truncation=True)["input_ids"]
        return Embedded(np.asarray(vectors, dtype=np.float32), sum(len(row) for row in ids))


def choose(name: str, folder: Path, models: Path, tell: Callable[[str], None]) -> Encoder:
    """The encoder of the model in `folder`: in 8 bits if it is a BERT and there is no GPU."""
    import torch  # the server has it; who only prepares a model may not need it

    if torch.cuda.is_available():
        return TorchEncoder(folder)
    file = prepare(name, folder, models, tell)
    return QuantizedEncoder(file, folder) if file else TorchEncoder(folder)


def prepare(name: str, folder: Path, models: Path, tell: Callable[[str], None]) -> Path | None:
    """The model's 8-bit graph in `models`, made once; None, saying why, if it cannot be or would rank differently."""
    if not quantized.suits(folder):
        return None
    file = quantized.place(name, folder, models)
    if file.is_file():
        return file
    try:
        return _convert(name, folder, file, tell)
    except OSError as error:
        tell(f"The 8-bit form of {name} could not be kept ({error}), so it is served slowly, as it is.")
        return None


def _convert(name: str, folder: Path, file: Path, tell: Callable[[str], None]) -> Path | None:
    tell(f"Converting {name} to 8 bits, once (about 10 s).")
    file.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=file.parent, prefix=".converting-") as scratch:
        part = Path(scratch) / file.name
        quantized.build(folder, part)
        cosine = _agreement(QuantizedEncoder(part, folder), TorchEncoder(folder))
        if cosine < SAME_ENOUGH:
            tell(f"{name} loses too much in 8 bits (mean cosine {cosine:.3f}), so it is served as it is.")
            return None
        return part.rename(file)  # at once, so that a file that is there is whole


def _agreement(one: Encoder, other: Encoder) -> float:
    texts = list(EXAMINATION)
    return float(np.mean(np.sum(one.encode(texts).vectors * other.encode(texts).vectors, axis=1)))


def session(graph: str | bytes) -> Any:
    """ONNX Runtime over a graph, given by its file or itself, in the caller's thread alone."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = ERRORS_ONLY
    options.add_session_config_entry(*NO_OVERFLOW)
    return onnxruntime.InferenceSession(
        graph, options, providers=["CPUExecutionProvider"], disabled_optimizers=DISABLED_FUSIONS
    )
