"""The ways to hold a large model's parts, from the best to the smallest, and what each takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

EightBits = Literal["int8", "fp8"]
TextEncoderBits = Literal["full", "int8", "fp8", "nf4", "dropped"]
TransformerBits = Literal["full", "int8", "fp8"]
Offload = Literal["none", "text_encoders", "model"]

PARAMETER_BYTES = {"int8": 1.05, "fp8": 1.05, "nf4": 0.62}
"""Of a quantized part, per parameter: embeddings and norms stay as they are, and there are
scales."""
T5_WIDE = "text_encoder_3.wo"
"""What `PartCounts.t5_wide` is called beside the names of networks."""

TRANSFORMER_WORK = 0.1
VAE_WORK = 18
"""Numbers that one picture of a megapixel takes while the transformer, and while the full VAE runs,
for each parameter of theirs: 0.8 and 1.5 thousand million for SD3.5 Large Turbo. Reckoned with room
to spare, not measured."""


@dataclass(frozen=True, kw_only=True)
class PartCounts:
    """How many parameters a model's parts have; the defaults are SD3.5 Large Turbo's.

    Attributes:
        clips: both together.
        t5: 0 where the model has none.
        t5_wide: those among T5's that overflow in fp16 and are kept in fp32 where the model
            computes in that: its `wo` layers. 0 where it has no T5, whatever is given.
    """

    transformer: int = 8_056_627_520
    clips: int = 818_310_144
    t5: int = 4_762_310_656
    t5_wide: int = 1_006_632_960
    vae: int = 83_819_683

    def __post_init__(self) -> None:
        if self.t5 == 0:
            object.__setattr__(self, "t5_wide", 0)  # of a frozen dataclass

    @classmethod
    def of(cls, num_parameters: Mapping[str, int]) -> PartCounts:
        """From the parameters of each network by its name, and those of `T5_WIDE`."""
        return cls(
            transformer=num_parameters["transformer"],
            clips=num_parameters["text_encoder"] + num_parameters["text_encoder_2"],
            t5=num_parameters.get("text_encoder_3", 0),
            t5_wide=num_parameters.get(T5_WIDE, 0),
            vae=num_parameters["vae"],
        )


@dataclass(frozen=True)
class Candidate:
    """One way to hold the parts, and what it costs, in words."""

    t5: TextEncoderBits
    transformer: TransformerBits
    offload: Offload

    @property
    def is_quantized(self) -> bool:
        return self.transformer != "full" or self.t5 in ("int8", "nf4")

    def draws_as_well(self, counts: PartCounts) -> bool:
        """No person could tell its pictures from those in full, and no frame takes seconds more."""
        return self.offload != "model" and (self.t5 != "dropped" or counts.t5 == 0)

    def kept_as(self, t5: EightBits, transformer: EightBits) -> Candidate:
        """Its 8 bits as these."""
        return replace(
            self,
            t5=t5 if self.t5 == "int8" else self.t5,
            transformer=transformer if self.transformer == "int8" else self.transformer,
        )

    def part_bytes(
        self, counts: PartCounts, itemsize: int, wide_itemsize: int
    ) -> tuple[float, float, float, float]:
        """Transformer, CLIPs, T5 and VAE."""
        transformer = _bytes(counts.transformer, self.transformer, itemsize)
        t5 = 0.0 if self.t5 == "dropped" else _bytes(counts.t5, self.t5, itemsize)
        if self.t5 == "full":  # in fewer bits all of its layers are alike
            t5 += counts.t5_wide * (wide_itemsize - itemsize)
        return transformer, counts.clips * itemsize, t5, counts.vae * itemsize

    def device_bytes(self, counts: PartCounts, itemsize: int, wide_itemsize: int) -> int:
        """The most that is on the device at a time.

        Args:
            itemsize: bytes of a number in the type that the model computes in.
            wide_itemsize: the same for `PartCounts.t5_wide`, where T5 is held in full.
        """
        transformer, clips, t5, vae = self.part_bytes(counts, itemsize, wide_itemsize)
        transformer_work = counts.transformer * TRANSFORMER_WORK * itemsize
        vae_work = counts.vae * VAE_WORK * itemsize
        work = max(transformer_work, vae_work)
        if self.offload == "none":
            return int(transformer + clips + t5 + vae + work)
        picture = transformer + vae + work
        if self.offload == "model":
            picture = max(transformer + transformer_work, vae + vae_work)
        return int(max(picture, clips, t5))

    def host_bytes(self, counts: PartCounts, itemsize: int, wide_itemsize: int) -> int:
        """What waits in main memory; arguments as for `device_bytes`."""
        if self.offload == "none":
            return 0
        return int(sum(self.part_bytes(counts, itemsize, wide_itemsize)))


CANDIDATES = (
    Candidate("full", "full", "none"),
    Candidate("int8", "full", "none"),
    Candidate("nf4", "full", "none"),
    Candidate("int8", "int8", "none"),
    Candidate("nf4", "int8", "none"),
    Candidate("full", "full", "text_encoders"),
    Candidate("int8", "int8", "text_encoders"),
    Candidate("dropped", "full", "none"),
    Candidate("dropped", "int8", "none"),
    Candidate("full", "full", "model"),
    Candidate("int8", "int8", "model"),
    Candidate("dropped", "full", "model"),
    Candidate("dropped", "int8", "model"),
)
"""From the best to the smallest; int8 stands for either kind of 8 bits.

First what changes no picture that a person could tell (8 bits, then 4 bits in T5 alone), then what
costs seconds for each new prompt, then what loses the prompt's details (no T5), then what costs
seconds for each frame.
"""
T5_IN_FULL = Candidate("full", "int8", "none")
"""Before these where 8 bits are asked for the transformer: what it leaves free is T5's."""


def _bytes(num_parameters: int, bits: str, itemsize: int) -> float:
    return num_parameters * PARAMETER_BYTES.get(bits, itemsize)
