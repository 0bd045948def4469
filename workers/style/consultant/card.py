"""The model card that goes with the adapter: what it is for, what it learned from, what it does and what it lost."""

from typing import Any

SOURCES = {
    "companies": ("our own generator of fictional companies (`companies.py`)", "Apache-2.0, as this project"),
    "squad2": ("SQuAD 2.0 (Rajpurkar et al. 2018), five articles of its development set", "CC BY-SA 4.0"),
    "policyqa": ("PolicyQA (Ahmad et al. 2020), two thirds of its sites", "MIT"),
    "clapnq": ("CLAP NQ (Rosenthal et al. 2024), two thirds of its documents", "Apache-2.0"),
}

CARD = """\
# The consultant

A LoRA adapter for {base}: it answers a customer from numbered passages, in a full sentence or two, with the number of
the passage, and puts the words that answer between `**`. `frontdesk models pull` merges it into the base model, so that
later style adapters hold style only. Made by `python -m workers.style.consultant`; `meta.json` has every figure.

## What it learned from

{lessons}

{learned:,} lessons, each a prompt as the consult chain builds it. A third of the articles, sites and documents and
{companies} whole companies were kept for the examination. The sample company's questions are in none of it. No
instruction in a passage was ever to be followed. Nothing teaches it to refuse: whether the documents answer is decided
before it is asked.

The weights may be used under Apache-2.0, as the base model, and, for what they learned from SQuAD, CC BY-SA 4.0.

## How

LoRA of rank {rank} (alpha {alpha}) on all linear layers, learning rate {learning_rate:g}, {epochs} epoch(s), seed
{seed}; {tokens:,} tokens in {minutes} minutes on {device}. Loss on the answers alone.

## What it does

Greedy answers to held-out questions, the base model beside base and consultant; in percent, but words. The key words
are those between `**`. Measured by the script that made it, without search or verification.

| source | questions | F1 of the key words | recall of them | right passage cited | sentences that stand | words |
|---|---|---|---|---|---|---|
{rows}

## What it lost

| | base | with the consultant |
|---|---|---|
{lost}

## Limits

It reads English, a few passages at a time. It finds and copies better than it reasons: sums, comparisons of several
passages and dates reckoned from other dates are beyond it. What it says is checked before a customer sees it, and
should be wherever else it is used.
"""


def written(made: dict[str, Any]) -> str:
    """The card of a run, from its `meta.json`."""
    before, after = made["before"], made["after"]
    return CARD.format(
        **{
            name: made[name]
            for name in ("base", "rank", "alpha", "learning_rate", "epochs", "seed", "tokens", "learned")
        },
        device={"cpu": "a processor of two cores", "cuda": "one GPU"}[made["device"]],
        minutes=round(made["seconds"] / 60),
        companies=made["held_out_companies"],
        lessons="\n".join(_lesson(source, count) for source, count in made["lessons"].items()),
        rows="\n".join(_row(source, before[source], after[source]) for source in after if source in SOURCES),
        lost="\n".join(_lost(before, after)),
    )


def _lesson(source: str, count: int) -> str:
    title, licence = SOURCES[source]
    return f"- {count:,} lessons from {title}; {licence}"


def _row(source: str, before: dict[str, Any], after: dict[str, Any]) -> str:
    cells = [
        " → ".join(f"{100 * one[name]:.0f}" for one in (before, after))
        for name in ("span_f1", "span_recall", "cited", "supported")
    ]
    words = " → ".join(f"{one['words']:.0f}" for one in (before, after))
    return f"| {source} | {after['questions']} | {' | '.join(cells)} | {words} |"


def _lost(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    lines = []
    if "instructions" in after:
        tasks = after["instructions"]["tasks"]
        shares = [f"{100 * one['instructions']['followed']:.0f} %" for one in (before, after)]
        lines.append(f"| IFEval: {tasks} tasks whose every instruction was followed | {shares[0]} | {shares[1]} |")
    if "perplexity" in after:
        lines.append(f"| perplexity on plain English | {before['perplexity']:g} | {after['perplexity']:g} |")
    return lines
