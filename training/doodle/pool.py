"""A pool of scene and sketch pairs encoded to latents once, so that the denoiser trains at full
speed.

Shards of a fixed number of pairs lie in the run folder; shard `k` depends on its number, on the
words in `likely.json` and `vague.json`, the artists' sets and the frozen autoencoder only.
"""

import argparse
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from tqdm import tqdm
from transformers import CLIPTokenizer

from training.doodle import run, scenes, sketch
from training.doodle.artists import load_artists
from training.doodle.data import Concept, load_concepts
from training.doodle.layout import layout_of
from training.doodle.likely import load_likely_names
from training.doodle.model import build_autoencoder, encode_latents
from training.doodle.train_autoencoder import Crops, fold, to_tensor
from training.doodle.vague import Vague, load_vague_words
from training.doodle.words import TOKENIZER_DIR
from turbo_ui.backends.compute import keep_memory

POOL_DIR = run.RUN_DIR / "pool-9"
"""Another number where shards would differ: in those before, vague words were chosen otherwise."""
SHARD_PAIRS = 512
CANONICAL_SHARE = 0.34  # of scenes; a fifth of the pairs, as a sketched scene gives two
FOLLOWED = 0.25
"""How much of a hand's wobble the picture keeps; place, turn and proportions it follows wholly.

At 1.0 the denoiser had to bend every thing its own way: sketches without wobble were recognised 7 %
more often.
"""
_SKETCHES_A_SCENE = 2
_WORDLESS_SHARE, _LETTERS_SHARE, _VAGUE_SHARE = 0.12, 0.05, 0.23
"""Of sketches on white paper. At 0.05 and 0.03, without any vague words, what was drawn was
recognised in 62 % without words, in 42 % beside nonsense and in 11 % beside "my drawing"."""
_FROZEN = "autoencoder-frozen"


def freeze_autoencoder() -> Any:
    """The averaged autoencoder, latents whitened; frozen at its first use for every later shard."""
    vae = build_autoencoder()
    if state := run.load(_FROZEN):
        run.fill(vae, state["model"], _FROZEN)
    elif state := run.load("autoencoder"):
        run.fill(vae, state["average"], "autoencoder")
        vae = fold(vae, Crops(seed=77, num_pictures=300))
        run.save(_FROZEN, {"model": vae.state_dict()})
    else:
        raise SystemExit("train the autoencoder first: python -m training.doodle.train_autoencoder")
    return vae.eval().requires_grad_(False)


def unnamed(rng: np.random.Generator, scene: scenes.Scene, vague: Vague) -> str:
    """Mostly its caption; else none, nonsense or vague words: then shape and colour decide."""
    draw = rng.random()
    if draw < _WORDLESS_SHARE:
        return ""
    draw -= _WORDLESS_SHARE
    if draw < _LETTERS_SHARE:
        letters = "abcdefghijklmnopqrstuvwxyz"
        return "".join(letters[i] for i in rng.integers(0, 26, rng.integers(3, 9)))
    if draw < _LETTERS_SHARE + _VAGUE_SHARE:
        return vague.caption(rng, [placed.concept for placed in scene.objects])
    return scene.caption


class Pair(NamedTuple):
    """A sketch and its picture, both `(256, 256, 3) uint8`, and all that is known of them."""

    sketch: np.ndarray
    picture: np.ndarray
    caption: str
    is_canonical: bool
    layout: np.ndarray


def sample_pairs(
    rng: np.random.Generator, concepts: list[Concept], num: int, vague: Vague
) -> list[Pair]:
    pairs: list[Pair] = []
    while len(pairs) < num:
        first = concepts[rng.integers(len(concepts))]
        if rng.random() < CANONICAL_SHARE:
            scene = scenes.sample_canonical(rng, concepts, first)
            picture, layout = scenes.render(scene), layout_of(scene)
            pairs.append(Pair(sketch.paper(rng), picture, scene.caption, True, layout))
        else:
            scene = scenes.sample_sketched(rng, concepts, first)
            # without words the drawn thing counts, and what is drawn otherwise needs its word
            may_be_unnamed = scene.background is scenes.WHITE and not any(scene.drawn_as)
            for _ in range(_SKETCHES_A_SCENE):
                caption = unnamed(rng, scene, vague) if may_be_unnamed else scene.caption
                board, bends = sketch.draw(rng, scene)
                followed = [bend.eased(FOLLOWED) for bend in bends]
                layout = layout_of(scene, followed, caption == scene.caption)
                picture = scenes.render(scene, followed)
                pairs.append(Pair(board, picture, caption, False, layout))
    return pairs[:num]


@torch.no_grad()
def encode(vae: Any, pictures: list[np.ndarray]) -> torch.Tensor:
    """Latents `(N, 32, 16, 16) float16`, where the autoencoder is."""
    batch = to_tensor(pictures).to(vae.device, memory_format=torch.channels_last)
    return torch.cat([encode_latents(vae, part) for part in batch.split(16)]).half().contiguous()


def build_shard(
    index: int, vae: Any, concepts: list, tokenizer: CLIPTokenizer, vague: Vague
) -> Path:
    path = POOL_DIR / f"{index:05d}.pt"
    if path.exists():
        return path
    rng = np.random.default_rng([2026, index])
    sketches, pictures, captions, canonical, layouts = zip(
        *sample_pairs(rng, concepts, SHARD_PAIRS, vague), strict=True
    )
    ids = tokenizer(list(captions), padding="max_length", truncation=True, return_tensors="pt")
    state = {
        "sketch": encode(vae, list(sketches)).cpu(),
        "target": encode(vae, list(pictures)).cpu(),
        "ids": ids["input_ids"].short(),
        "canonical": torch.tensor(canonical),
        "layout": torch.from_numpy(np.stack(layouts)),
    }
    torch.save(state, path.with_suffix(".part"))
    path.with_suffix(".part").replace(path)
    return path


def load_pool(last: int) -> dict[str, torch.Tensor]:
    """The newest `last` shards as one, without the first of all, which is held out."""
    return _as_one(_shards()[1:][-last:])


def load_held_out() -> dict[str, torch.Tensor]:
    """Pairs that the denoiser is not trained on: the first shard, whatever is added later."""
    return _as_one(_shards()[:1])


def _shards() -> list[Path]:
    return sorted(POOL_DIR.glob("*.pt"))


def _as_one(paths: list[Path]) -> dict[str, torch.Tensor]:
    if not paths:
        raise SystemExit("the pool needs two shards or more: python -m training.doodle.pool")
    shards = [torch.load(path) for path in paths]
    return {key: torch.cat([shard[key] for shard in shards]) for key in shards[0]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--shards", type=int, default=32)
    args = parser.parse_args()
    keep_memory()
    cv2.setNumThreads(1)
    POOL_DIR.mkdir(parents=True, exist_ok=True)
    vae = freeze_autoencoder().to(run.device(), memory_format=torch.channels_last)
    tokenizer = CLIPTokenizer.from_pretrained(TOKENIZER_DIR)
    concepts = load_concepts()
    load_likely_names(concepts, tokenizer)
    vague = load_vague_words(concepts, tokenizer)
    load_artists(concepts)
    for index in tqdm(range(args.first, args.first + args.shards), desc="pool"):
        build_shard(index, vae, concepts, tokenizer, vague)


if __name__ == "__main__":
    main()
