"""llama.cpp on the same weights, for comparison: a Llama model's folder as a GGUF file of 8 bits, and how fast it
decodes. Needs `pip install llama-cpp-python`, which builds where there is a C++ compiler."""

import importlib.util
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from safetensors.numpy import load_file
from transformers import AutoTokenizer

from bot.serving.lanes import cores
from tests.benchmarks.servers import NEW_TOKENS, Ask


def llama(folder: Path) -> Ask | None:
    """The base alone, with its own memory of what prompts begin with; None where llama.cpp is not installed."""
    if importlib.util.find_spec("llama_cpp") is None:
        print("llama.cpp: skipped, it is not installed (pip install llama-cpp-python)")
        return None
    from llama_cpp import Llama  # type: ignore[import-not-found,unused-ignore]

    threads = {"n_threads": cores(), "n_threads_batch": cores()}
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch) / "model.gguf"
        write(folder, place)
        speaker = Llama(str(place), n_ctx=1024, use_mmap=False, verbose=False, **threads)
    tokenizer: Any = AutoTokenizer.from_pretrained(folder)

    def ask(prompt: str, _: str | None) -> tuple[float, int]:
        start, first, count = time.perf_counter(), 0.0, 0
        ids = tokenizer.apply_chat_template([{"role": "user", "content": prompt}], add_generation_prompt=True)
        for token in speaker.generate(list(ids["input_ids"]), temp=0.0, repeat_penalty=1.0):
            first, count = first or time.perf_counter() - start, count + 1
            if count == NEW_TOKENS or token == tokenizer.eos_token_id:
                break
        return first, count

    return ask


def write(folder: Path, place: Path) -> None:
    """The folder's weights in llama.cpp's format (the GGUF specification of ggml)."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    file = gguf.GGUFWriter(place, "llama")
    file.add_context_length(config["max_position_embeddings"])
    file.add_embedding_length(config["hidden_size"])
    file.add_block_count(config["num_hidden_layers"])
    file.add_feed_forward_length(config["intermediate_size"])
    file.add_head_count(config["num_attention_heads"])
    file.add_head_count_kv(config["num_key_value_heads"])
    file.add_rope_freq_base((config.get("rope_parameters") or config)["rope_theta"])
    file.add_layer_norm_rms_eps(config["rms_norm_eps"])
    known = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))["model"]
    file.add_tokenizer_model("gpt2")
    file.add_tokenizer_pre("smollm")
    file.add_token_list(sorted(known["vocab"], key=lambda word: int(known["vocab"][word])))
    file.add_token_merges([one if isinstance(one, str) else " ".join(one) for one in known["merges"]])
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, config["num_hidden_layers"])
    for source in sorted(folder.glob("*.safetensors")):
        for name, tensor in load_file(source).items():
            exact = _ordered(name, tensor.astype(np.float32), config)
            kind = gguf.GGMLQuantizationType.Q8_0 if exact.ndim > 1 else gguf.GGMLQuantizationType.F32
            known_as = names.get_name(name, try_suffixes=(".weight",))
            file.add_tensor(known_as, gguf.quants.quantize(exact, kind), raw_dtype=kind)
    file.write_header_to_file()
    file.write_kv_data_to_file()
    file.write_tensors_to_file()
    file.close()


def _ordered(name: str, tensor: "np.ndarray[Any, Any]", config: dict[str, Any]) -> "np.ndarray[Any, Any]":
    """Queries and keys with each head's two halves interleaved, as llama.cpp turns them."""
    part = {"q_proj": "num_attention_heads", "k_proj": "num_key_value_heads"}.get(name.split(".")[-2])
    if not part:
        return tensor
    heads = int(config[part])
    halves = tensor.reshape(heads, 2, tensor.shape[0] // heads // 2, *tensor.shape[1:])
    return halves.swapaxes(1, 2).reshape(tensor.shape)
