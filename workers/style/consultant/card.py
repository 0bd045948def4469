"""The model card that goes with the adapter: what it is for, what it learned from, what it does and what it lost."""

from typing import Any

SOURCES = {
    "companies": ("our own generator of fictional companies (`companies.py`)", "Apache-2.0, as this project"),
    "squad2": ("SQuAD 2.0 (Rajpurkar et al. 2018), five articles of its development set", "CC BY-SA 4.0"),
    "policyqa": ("PolicyQA (Ahmad et al. 2020), two thirds of its sites", "MIT"),
    "clapnq": ("CLAP NQ (Rosenthal et al. 2024), two thirds of its documents", "Apache-2.0"),
}

ALONE = " alone"  # behind a source's name, in earlier stages: lessons with nothing to read but what answers

PLACES = {"within": "set off within the sentence", "behind": "named in a line behind it"}

CARD = """\
# The consultant

A LoRA adapter for {base}: it answers a customer from numbered passages, in a full sentence or two, with the number of
the passage, and names the words that answer between `**` in a line of their own behind it. `frontdesk models pull`
merges it into the base model, so that later style adapters hold style only. Made by
`python -m workers.style.consultant`; `meta.json` has every figure.

## What it learned from

{sources}

Each lesson is a prompt as the consult chain builds it, with its answer; "alone" are those with nothing to read but what
answers. A third of the articles, sites and documents and {companies} whole companies were kept for the examination. The
sample company's questions are in none of it. No instruction in a passage was ever to be followed. Nothing teaches it to
refuse: whether the documents answer is decided before it is asked.

The weights may be used under Apache-2.0, as the base model, and, for what they learned from SQuAD, CC BY-SA 4.0.

## How

LoRA on all linear layers, loss on the answers alone, AdamW with warm-up and linear decay, reproducible by seed.

{stages}

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
    before, after, stages = made["before"], made["after"], made["stages"]
    learned = dict.fromkeys(source.removesuffix(ALONE) for stage in stages for source in stage["lessons"])
    return CARD.format(
        base=made["base"],
        companies=stages[-1]["held_out_companies"],
        sources="\n".join(f"- {SOURCES[source][0]}; {SOURCES[source][1]}" for source in learned),
        stages="\n".join(_stage(number, stage) for number, stage in enumerate(stages, start=1)),
        rows="\n".join(
            _row(source, before[source], after[source]) for source in after if source.removesuffix(ALONE) in SOURCES
        ),
        lost="\n".join(_lost(before, after)),
    )


def _stage(number: int, stage: dict[str, Any]) -> str:
    lessons = ", ".join(f"{count:,} of {source}" for source, count in stage["lessons"].items())
    device = {"cpu": "two processor cores", "cuda": "one GPU"}[stage["device"]]
    return (
        f"{number}. {lessons}; rank {stage['rank']}, alpha {stage['alpha']}, learning rate {stage['learning_rate']:g}, "
        f"{stage['epochs']} epoch(s), seed {stage['seed']}; words that answer {PLACES[stage['words_that_answer']]}; "
        f"{stage['tokens']:,} tokens in {stage['seconds'] / 60:.0f} minutes on {device}"
    )


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
