"""The model card that goes with the reader."""

from typing import Any

SOURCES = {
    "squad": ("SQuAD 1.1's training set (Rajpurkar et al. 2016), Wikipedia's articles", "CC BY-SA 4.0"),
    "squad2": ("SQuAD 2.0 (Rajpurkar et al. 2018), six articles of its development set", "CC BY-SA 4.0"),
    "companies": (
        "our generator of fictional companies (`workers/style/consultant`)",
        "Apache-2.0, as this project",
    ),
}

CARD = """\
# The reader

A LoRA adapter for {base}, which with it says where in a text a question is answered: two scores a token, where the
answer begins and where it ends, against the first token's, which stands for no answer. `bot.reading` ranks the
sentences of what the search found by it, and sets the words that answer in bold. It is merged in memory, in 8 bits; it
generates nothing. Made by `python -m workers.style.reader`; `meta.json` has every figure.

## What it learned from

| source | texts | licence |
|---|---|---|
{sources}

A text is one to five sentences. In four of ten it does not answer: other sentences of the same article or company that
share words with the question, SQuAD 2.0's questions that only look answerable, and questions of ours in which a name,
a number or an opposite was put that the text does not have. The sample company's questions are in none of it.

The weights may be used under Apache-2.0, as the base model, and, for what they learned from SQuAD, CC BY-SA 4.0.

## How

Rank {rank} on all linear layers, the norms and the two outputs learned whole; {tokens} thousand tokens in {minutes}
minutes on {device}, AdamW, {rows_per_batch} texts a step. Rounds: {rounds}, at rates of {rates} with warm-up and linear
decay, each from where the one before ended; of each further round the mean of its weights and those before it is kept
(Wortsman et al. 2022).

## What it does

On what was kept: articles and companies it has not seen. Separation is the area under the ROC curve of texts that
answer and texts that do not; F1 is the overlap of the words it points at with those that answer.

| source | texts | separation | F1 |
|---|---|---|---|
{rows}

## Limits

It reads English, a few sentences at a time, and points at one run of words: lists, sums and conclusions from several
places are beyond it. It does not know what is true, only what a text says.
"""


def written(made: dict[str, Any]) -> str:
    """The card, from what `meta.json` holds."""
    rounds = made["rounds"]
    texts = {name: sum(one["texts"].get(name, 0) for one in rounds) for name in SOURCES}
    sources = [f"| {SOURCES[name][0]} | {count} | {SOURCES[name][1]} |" for name, count in texts.items() if count]
    rows = [
        f"| {name} | {one['texts']} | {one['separation']:.3f} | {one['f1']:.3f} |"
        for name, one in made["examined"].items()
    ]
    return CARD.format(
        base=made["base"],
        rank=made["rank"],
        device=made["device"],
        rows_per_batch=made["rows_per_batch"],
        tokens=round(sum(one["tokens"] for one in rounds) / 1000),
        minutes=round(sum(one["seconds"] for one in rounds) / 60),
        rounds=len(rounds),
        rates=" and ".join(f"{one['learning_rate']:g}" for one in rounds),
        sources="\n".join(sources),
        rows="\n".join(rows),
    )
