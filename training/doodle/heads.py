"""Read-outs of the text encoder that only training needs, and what is asked of its canvases."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from training.doodle.backgrounds import BACKGROUNDS
from training.doodle.canvas import NUM_NUMBERS, NUM_PARTS, Looks
from training.doodle.data import COLOURS
from training.doodle.model import NUM_CANVASES, TEXT_WIDTH, WORD_TOKENS

_TEMPERATURE = 0.07
_LIKENESS_SPREAD = 0.1
"""Mean squared difference that makes a canvas e times less likely; things differ by some 1.5."""


class Heads(nn.Module):
    """Linear read-outs that make the hidden states hold what the denoiser will need."""

    def __init__(self, concept_vectors: torch.Tensor):
        super().__init__()
        self.canvas = nn.Linear(TEXT_WIDTH, NUM_NUMBERS)
        self.place = nn.Linear(TEXT_WIDTH, NUM_CANVASES * NUM_PARTS)
        self.meaning = nn.Linear(TEXT_WIDTH, concept_vectors.shape[1])
        self.concepts = nn.Parameter(concept_vectors.clone())
        self.colour = nn.Linear(TEXT_WIDTH, 1 + len(COLOURS))
        self.turn = nn.Linear(TEXT_WIDTH, 4)
        self.background = nn.Linear(TEXT_WIDTH, 1 + len(BACKGROUNDS))
        # After the end of a caption: the second and third named thing; the first is the meaning.
        self.later = nn.ModuleList(nn.Linear(TEXT_WIDTH, concept_vectors.shape[1]) for _ in "23")
        self.closing_colour = nn.Linear(TEXT_WIDTH, 1 + len(COLOURS))

    def concept_logits(self, hidden: torch.Tensor, turn: int = 0) -> torch.Tensor:
        """Cosine logits `(N, concepts)`; `turn` 0 reads what a token means."""
        read = self.meaning if turn == 0 else self.later[turn - 1]
        meaning = F.normalize(read(hidden), dim=-1)
        return meaning @ F.normalize(self.concepts, dim=-1).T / _TEMPERATURE

    def canvas_loss(self, hidden: torch.Tensor, looks: torch.Tensor) -> torch.Tensor:
        """How far what the canvases tell of each part is from `looks`, `(N, 1 to 3, 64, 48)`.

        Each state tells its place too: so attention can find it.

        Returns:
            The sum over rows.
        """
        states = hidden[:, WORD_TOKENS:]
        error = (self.canvas(states).view_as(looks) - looks).square().mean(dim=(1, 2, 3))
        places = torch.arange(states.shape[1], device=states.device).repeat(len(states))
        found = F.cross_entropy(self.place(states).flatten(0, 1), places)
        return error.sum() + 0.1 * found * len(states)

    def likeness_loss(
        self, hidden: torch.Tensor, looks: Looks, things: list[list[tuple[int, int]]]
    ) -> torch.Tensor:
        """Cross entropy of which thing each canvas is most like, in nats.

        The squared error alone is least at the mean of what a word may stand for, which looks like
        nothing.

        Args:
            hidden: states of rows, `(N, WORD_TOKENS + 64 or more, TEXT_WIDTH)`.
            looks: of all things; the others are shown in their own colours.
            things: of each row (concept, colour) of what it names.

        Returns:
            The sum over rows of the mean of what each names and has a canvas for.
        """
        told = self.canvas(hidden[:, WORD_TOKENS:]).float().unflatten(1, (-1, NUM_PARTS))
        named = [
            (row, slot, *thing)
            for row, each in enumerate(things)
            for slot, thing in enumerate(each[: told.shape[1]])
        ]
        if not named:  # backgrounds alone
            return told.new_zeros(())
        rows, slots, concepts, _ = torch.tensor(named).T
        shares = 1 / torch.bincount(rows)[rows]
        concepts, shares = concepts.to(told.device), shares.to(told.device)
        own = looks.canvases([[thing[2:]] for thing in named])[:, 0].flatten(1)
        shown, others = told[rows, slots].flatten(1), looks.concepts().flatten(1)
        distance = torch.cdist(shown, others).square()
        of_own = (shown - own).square().sum(1)
        distance = distance.scatter(1, concepts[:, None], of_own[:, None])
        logits = -distance / (others.shape[1] * _LIKENESS_SPREAD)
        missed = F.cross_entropy(logits, concepts, reduction="none")
        return (missed * shares).sum()
