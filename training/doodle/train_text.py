"""Stage 2: the tokenizer and the text encoder.

A sentence encoder says what each word means, so that words that no caption held still point
somewhere; with a dictionary and word vectors (`lexicon`) it says for every word of a large list
which of our concepts it is nearest to. Captions say
which noun is which object, its colour, its turn, and the background. The concepts' pictures say
what things look like.
"""

import argparse
import copy
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from transformers import CLIPTokenizer

from training.doodle import run
from training.doodle.canvas import NUM_PARTS, Looks
from training.doodle.data import load_concepts
from training.doodle.heads import Heads
from training.doodle.lexicon import Lexicon
from training.doodle.likely import give_likely_names
from training.doodle.model import NUM_CANVASES, TEXT_WIDTH, WORD_TOKENS, build_text_encoder
from training.doodle.muon import optimisers
from training.doodle.nearness import Words
from training.doodle.pool import freeze_autoencoder
from training.doodle.vague import give_vague_words
from training.doodle.words import (
    TOKENIZER_DIR,
    NounCaption,
    Teacher,
    sample_caption,
    train_tokenizer,
)
from turbo_ui.backends.compute import keep_memory

_WEIGHTS = {"distill": 3.0, "relation": 1.0, "named": 1.0, "shown": 3.0, "like": 0.3, "moved": 10.0}
_EMPTY_SHARE = 0.1  # of rows that show one canvas more than they name things
_HEADS_ALONE = 300  # steps, where an encoder is there and its read-outs are not


def caption_loss(hidden: torch.Tensor, captions: list[NounCaption], heads: Heads) -> torch.Tensor:
    places: list[tuple[int, int, int, int, int]] = []
    for row, caption in enumerate(captions):
        for turn, end in enumerate(caption.ends):
            if end < WORD_TOKENS - 1:
                place = (row, end, turn, caption.concepts[turn], caption.colours[turn])
                places.append(place)
    rows, ends, turns, concepts, colours = torch.tensor(places, device=hidden.device).T
    nouns = hidden[rows, ends]
    loss = F.cross_entropy(heads.concept_logits(nouns), concepts, label_smoothing=0.05)
    loss = loss + 0.5 * F.cross_entropy(heads.colour(nouns), colours)
    loss = loss + 0.3 * F.cross_entropy(heads.turn(nouns), turns)
    return loss + closing_loss(hidden, captions, heads)


def closing_loss(hidden: torch.Tensor, captions: list[NounCaption], heads: Heads) -> torch.Tensor:
    """Every token after a caption's end sums it up: its things in turn, colour, background.

    Most of the tokens that the denoiser attends to lie there. While they told the background alone,
    the denoiser learned backgrounds within 4,000 samples and no object within 12,000.
    """
    rows = torch.arange(len(captions))
    starts = torch.tensor([caption.num_tokens for caption in captions]).clamp(max=WORD_TOKENS - 1)
    between = starts + (torch.rand(len(captions)) * (WORD_TOKENS - starts)).long()
    device = hidden.device
    backgrounds = torch.tensor([caption.background for caption in captions], device=device)
    colours = torch.tensor([(caption.colours or [0])[0] for caption in captions], device=device)
    loss = hidden.new_zeros(())
    for at in (starts, between):
        summary = hidden[rows, at]
        loss = loss + 0.25 * F.cross_entropy(heads.background(summary), backgrounds)
        loss = loss + 0.15 * F.cross_entropy(heads.closing_colour(summary), colours)
        for turn in range(3):
            named = [row for row, caption in enumerate(captions) if len(caption.concepts) > turn]
            wanted = torch.tensor([captions[row].concepts[turn] for row in named], device=device)
            if named:
                logits = heads.concept_logits(summary[named], turn)
                loss = loss + 0.5 * F.cross_entropy(logits, wanted, label_smoothing=0.05)
    return loss


def tell(
    encoder: Any,
    heads: Heads,
    looks: Looks,
    ids: torch.Tensor,
    things: list[list[tuple[int, int]]],
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """What the encoder says of some rows, and how far their canvases are from the right ones.

    The encoder is causal: a row is cut behind the canvases of what it names, which halves the work.
    Now and then an empty one is kept, which has to tell of paper.

    Args:
        ids: `(N, NUM_TOKENS)`.
        things: of each row (concept, colour) of what it names.

    Returns:
        States of the words `(N, WORD_TOKENS, TEXT_WIDTH)`, the canvases' mean error, and how
        surely each is told from those of all other things.
    """
    drawn = torch.tensor([len(named) for named in things])
    drawn = (drawn + (torch.rand(len(drawn)) < _EMPTY_SHARE)).clamp(1, NUM_CANVASES)
    device = heads.concepts.device
    states = torch.zeros(len(ids), WORD_TOKENS, TEXT_WIDTH, device=device)
    shown, like = states.new_zeros(()), states.new_zeros(())
    for num in drawn.unique().tolist():
        rows = torch.nonzero(drawn == num)[:, 0]
        cut = ids[rows, : WORD_TOKENS + num * NUM_PARTS].to(device)
        hidden = encoder(input_ids=cut)[0].float()
        states = states.index_copy(0, rows.to(device), hidden[:, :WORD_TOKENS])
        named = [things[row] for row in rows.tolist()]
        shown = shown + heads.canvas_loss(hidden, looks.canvases(named)[:, :num])
        like = like + heads.likeness_loss(hidden, looks, named)
    return states, shown / len(ids), like / len(ids)


def losses(
    encoder: Any,
    heads: Heads,
    looks: Looks,
    words: Words,
    captions: list[NounCaption],
    args: argparse.Namespace,
    anchor: Any = None,
) -> dict[str, torch.Tensor]:
    """Of one batch of words and some captions.

    Args:
        anchor: an encoder whose states of captions' words are to be kept; None keeps nothing.
    """
    num, device = args.batch_size, heads.concepts.device
    picked = words.pick(num)
    ids, nearest = words.short_ids[picked], words.nearest[picked].to(device)
    word_hidden = encoder(input_ids=ids.to(device)).last_hidden_state
    # The first end token closes the word; its own last token must mean the same.
    ends = (ids == encoder.config.eos_token_id).int().argmax(1)
    rows = torch.arange(num)
    meant = torch.stack([word_hidden[rows, ends], word_hidden[rows, ends - 1]])
    meanings = words.meanings[picked].to(device)
    cosine = F.cosine_similarity(heads.meaning(meant), meanings[None], dim=-1)
    logits = heads.concept_logits(meant).log_softmax(-1)
    seen = words.pick_known(args.words_with_canvas)
    told, shown, like = tell(
        encoder,
        heads,
        looks,
        torch.cat([torch.tensor([each.ids for each in captions]), words.long_ids[seen]]),
        [[*zip(each.concepts, each.colours, strict=True)] for each in captions]
        + [[(int(row.argmax()), 0)] for row in words.nearest[seen]],
    )
    caption_hidden = told[: len(captions)]
    found = {
        "distill": (1 - cosine).mean(),
        "relation": -(nearest[None] * logits).sum(-1).mean(),
        "named": caption_loss(caption_hidden, captions, heads),
        "shown": shown,
        "like": like,
    }
    if anchor is not None:
        with torch.no_grad():
            ids = torch.tensor([caption.ids[:WORD_TOKENS] for caption in captions])
            kept = anchor(input_ids=ids.to(device)).last_hidden_state
        found["moved"] = (caption_hidden - kept).square().mean() / kept.square().mean()
    return found


def resume(
    state: dict | None, encoder: Any, heads: Heads, both: list[torch.optim.Optimizer]
) -> tuple[int, int]:
    """Take up a checkpoint.

    Returns:
        The step to begin with, and the one up to which the read-outs learn alone: an encoder that
        is trained already would follow the errors of read-outs that are not.
    """
    if state is None:
        return 0, 0
    run.fill(encoder, state["model"], "text")
    heads.load_state_dict(state.get("heads", {}), strict=False)  # one may have been added since
    for optimiser, known in zip(both, state.get("optimisers", []), strict=False):
        optimiser.load_state_dict(known)
    return state["step"], 0 if "heads" in state else state["step"] + _HEADS_ALONE


def anchored(state: dict | None, encoder: Any) -> Any:
    """The encoder that the denoiser was trained on: where a run stopped, the one it began with."""
    anchor = copy.deepcopy(encoder)
    if state is not None and "anchor" in state:
        anchor.load_state_dict(state["anchor"])
    return anchor.eval().requires_grad_(False)


def keep(
    encoder: Any, heads: Heads, both: list[torch.optim.Optimizer], step: int, anchor: Any
) -> None:
    """Write a checkpoint; `anchor` is None at the end of a run, and where nothing is to be kept."""
    states = [optimiser.state_dict() for optimiser in both]
    known = {"model": encoder.state_dict(), "heads": heads.state_dict(), "step": step}
    kept = {} if anchor is None else {"anchor": anchor.state_dict()}
    run.save("text", known | kept | {"optimisers": states})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=5000)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--seed", type=int, default=21)
    parser.add_argument(
        "--words-with-canvas",
        type=int,
        default=64,
        help="beside each batch of words and captions; most of the tokens",
    )
    parser.add_argument("--captions", type=int, default=24, help="of each batch")
    parser.add_argument("--bf16", action="store_true", help="compute in bf16, weights stay fp32")
    parser.add_argument(
        "--anchored",
        action="store_true",
        help="words of captions keep their states, so that a denoiser trained on them can go on",
    )
    args = parser.parse_args()
    keep_memory()
    torch.manual_seed(args.seed)
    device = run.device()
    concepts = load_concepts()
    if not TOKENIZER_DIR.exists():
        train_tokenizer(concepts).save_pretrained(TOKENIZER_DIR)
    tokenizer = CLIPTokenizer.from_pretrained(TOKENIZER_DIR)
    teacher = Teacher()
    flat = [teacher([c.name, *c.synonyms[:2]]).mean(0) for c in concepts]
    lexicon = Lexicon()
    words = Words(concepts, tokenizer, teacher, lexicon)
    give_likely_names(concepts, words, lexicon)
    give_vague_words(concepts, words)
    encoder = build_text_encoder(len(tokenizer), tokenizer.bos_token_id, tokenizer.eos_token_id)
    encoder = encoder.to(device)
    heads = Heads(F.normalize(torch.stack(flat), dim=-1)).to(device)
    looks = Looks(concepts, freeze_autoencoder())
    looks.table = looks.table.to(device)
    print(f"{len(looks.table)} looks, {looks.explained:.3f} of their variance")
    named = [*encoder.named_parameters(), *heads.named_parameters("heads")]
    both = optimisers(named, args.lr, ("heads", "embeddings", "text_model.embeddings"))
    state = run.load("text")
    first, num_alone = resume(state, encoder, heads, both)
    anchor = anchored(state, encoder) if args.anchored else None
    torch.manual_seed(args.seed + first)  # what was seen before a stop is not repeated
    rng = np.random.default_rng(args.seed + first)
    progress = run.Progress("text", first, args.steps)
    for step in range(first, args.steps):
        encoder.requires_grad_(step >= num_alone)
        for group in [group for optimiser in both for group in optimiser.param_groups]:
            group["lr"] = args.lr * run.cosine(step, args.steps)
        captions = [sample_caption(rng, concepts, tokenizer) for _ in range(args.captions)]
        with run.fast(device, args.bf16):
            found = losses(encoder, heads, looks, words, captions, args, anchor)
        for optimiser in both:
            optimiser.zero_grad(set_to_none=True)
        torch.stack([_WEIGHTS[name] * value for name, value in found.items()]).sum().backward()
        torch.nn.utils.clip_grad_norm_([parameter for _, parameter in named], 1.0)
        for optimiser in both:
            optimiser.step()
        progress.step(args.batch_size, **{key: value.item() for key, value in found.items()})
        is_last = step + 1 == args.steps
        if (step + 1) % 500 == 0 or is_last:
            keep(encoder, heads, both, step + 1, None if is_last else anchor)
            report(concepts, tokenizer, encoder, heads, looks)


@torch.no_grad()
def report(
    concepts: list, tokenizer: CLIPTokenizer, encoder: nn.Module, heads: Heads, looks: Looks
) -> None:
    """How often a held-out tag's nearest concepts hold the right one, by the encoder alone; and how
    often its canvas is most like the right one's."""
    pairs = [(tag, c.index) for c in concepts for tag in c.held_out_synonyms]
    ids = tokenizer(
        [t for t, _ in pairs], padding="max_length", truncation=True, return_tensors="pt"
    )
    ends = (ids["input_ids"] == tokenizer.eos_token_id).int().argmax(1)
    hidden = encoder(input_ids=ids["input_ids"].to(looks.table.device)).last_hidden_state
    logits = heads.concept_logits(hidden[torch.arange(len(pairs)), ends])
    top = logits.topk(5).indices.cpu()
    wanted = torch.tensor([index for _, index in pairs])
    right = top == wanted[:, None]
    first, fifth = right[:, 0].float().mean().item(), right.any(1).float().mean().item()
    known = looks.canvases([[(concept.index, 0)] for concept in concepts])[:, 0].flatten(1)
    shown = heads.canvas(hidden[:, WORD_TOKENS : WORD_TOKENS + NUM_PARTS]).flatten(1)
    like = (torch.cdist(shown, known).argmin(1).cpu() == wanted).float().mean().item()
    print(f"\nheld-out tags: top-1 {first:.3f} top-5 {fifth:.3f} canvas {like:.3f}")


if __name__ == "__main__":
    main()
