"""CLIP's tokenizer from the vocabulary that comes with this project.

The file lists merges, the most frequent first. Tokens are numbered: the 256 bytes, the same at a
word's end, one for each merge, and the two marks of start and end: 49,408 in all.
"""

from __future__ import annotations

import gzip
from functools import cache
from pathlib import Path
from typing import Any

from transformers import CLIPTokenizer

VOCABULARY = Path(__file__).parent / "configs" / "clip" / "bpe_simple_vocab_16e6.txt.gz"
NUM_TOKENS = 49_408
START, END = "<|startoftext|>", "<|endoftext|>"
NUM_BYTES = 256


def clip_tokenizer(pad_token: str = END, model_max_length: int = 77) -> CLIPTokenizer:
    """The tokenizer of every CLIP text encoder, but for what it pads with."""
    vocabulary, merges = _tables()
    options: dict[str, Any] = {
        "vocab": dict(vocabulary),
        "merges": list(merges),
        "pad_token": pad_token,
        "model_max_length": model_max_length,
    }
    return CLIPTokenizer(**options)


@cache
def _tables() -> tuple[dict[str, int], list[tuple[str, str]]]:
    lines = gzip.decompress(VOCABULARY.read_bytes()).decode("utf-8").split("\n")
    num_merges = NUM_TOKENS - 2 * NUM_BYTES - 2
    merges: list[tuple[str, str]] = []
    for line in lines[1 : num_merges + 1]:  # the first line is a comment
        left, right = line.split()
        merges.append((left, right))
    letters = _letters()
    tokens = [*letters, *(letter + "</w>" for letter in letters)]
    tokens += [left + right for left, right in merges]
    return {token: number for number, token in enumerate([*tokens, START, END])}, merges


def _letters() -> list[str]:
    """One visible letter for each byte: itself where it is visible, else one beyond the bytes."""
    visible = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    hidden = NUM_BYTES - len(visible)
    return [chr(byte) for byte in visible] + [chr(NUM_BYTES + number) for number in range(hidden)]
