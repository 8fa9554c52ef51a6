"""How a large model is made to fit: a plan, chosen from what the device has, and said in words.

Only arithmetic: nothing here asks a device or moves a number (`placement` does).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from turbo_ui.backends.holding import (
    CANDIDATES,
    T5_IN_FULL,
    Candidate,
    EightBits,
    Offload,
    PartCounts,
    TextEncoderBits,
    TransformerBits,
)
from turbo_ui.errors import ModelUnavailable

DeviceKind = Literal["cpu", "cuda", "mps"]
Quantization = Literal["auto", "none", "int8", "fp8"]
"""What the user may ask of the transformer: the best that fits, in full, or in these 8 bits."""

GB = 1_000_000_000
TORCHAO = "torchao>=0.18"
"""What holds parts in fewer bits, as pip takes it."""
WIDE_ITEMSIZE = 4
"""Bytes of a number in fp32."""
DEVICE_SHARE = 0.9
"""Of a device's memory: the rest is the driver's, the desktop's, and what fragments."""

BITS_WORDS = {"int8": "8-bit int8", "fp8": "8-bit fp8", "nf4": "4-bit nf4"}


@dataclass(frozen=True, kw_only=True)
class Room:
    """What there is to put it in.

    Attributes:
        kind: of the device.
        free_bytes, total_bytes: of the device's own memory; on a CPU, of main memory.
        host_free_bytes: of main memory, in which parts can wait for their turn.
        itemsize: bytes of a number in the type that the model computes in.
        keeps_wide: it computes in fp16, and T5's layers that overflow in that stay in fp32.
        can_quantize: torchao is installed.
        eight_bits: as which 8 bits of a part are kept where nobody asks for the other.
        quantization: what the user asks for.
        max_bytes: an upper bound set by the user for all models together; None is `DEVICE_SHARE` of
            the device.
        taken_bytes: of the device, by the models that are there already.
    """

    kind: DeviceKind
    free_bytes: int
    total_bytes: int
    host_free_bytes: int = 0
    itemsize: int = 2
    keeps_wide: bool = False
    can_quantize: bool = False
    eight_bits: EightBits = "int8"
    quantization: Quantization = "auto"
    max_bytes: int | None = None
    taken_bytes: int = 0

    @property
    def itemsizes(self) -> tuple[int, int]:
        """Bytes of a number: of most, and of T5's layers that overflow in fp16."""
        return self.itemsize, WIDE_ITEMSIZE if self.keeps_wide else self.itemsize

    @property
    def usable_bytes(self) -> int:
        limit = int(self.total_bytes * DEVICE_SHARE) if self.max_bytes is None else self.max_bytes
        return max(0, min(self.free_bytes, limit - self.taken_bytes))


@dataclass(frozen=True, kw_only=True)
class MemoryPlan:
    """How each part is held, and which are on the device when.

    Attributes:
        t5: in full, quantized, or left out: then the prompt goes through the CLIPs alone.
        transformer: in full or quantized.
        offload: "none": all parts stay on the device. "text_encoders": they wait in main memory,
            and for a prompt that is new each takes the transformer's place for a moment. "model":
            the VAE takes turns with the transformer, too, in every frame.
        device_bytes: the most that is on the device at a time, about.
        text: for people: what was done and why; empty where nothing was.
    """

    t5: TextEncoderBits = "full"
    transformer: TransformerBits = "full"
    offload: Offload = "none"
    device_bytes: int = 0
    text: str = ""

    @property
    def path(self) -> str:
        """What of it shows in the pixels or in the time; empty where nothing does."""
        words: list[str] = []
        if self.transformer != "full":
            words.append(f"transformer {self.transformer}")
        if self.t5 != "full":
            words.append("no T5" if self.t5 == "dropped" else f"T5 {self.t5}")
        if self.offload != "none":
            words.append("text encoders offloaded" if self.offload != "model" else "offloaded")
        return ", ".join(words)


WHOLE = MemoryPlan()
"""Everything on the device as it was loaded."""


def choose(model: str, counts: PartCounts, room: Room) -> MemoryPlan:
    """The best plan that fits.

    Args:
        model: its id, for the error.

    Raises:
        ModelUnavailable: none fits; says how much the smallest plan wants and how much there is.
    """
    smallest: int | None = None
    for candidate in _possible(counts, room):
        needed = candidate.device_bytes(counts, *room.itemsizes)
        smallest = needed if smallest is None else min(smallest, needed)
        has_host = candidate.host_bytes(counts, *room.itemsizes) <= room.host_free_bytes
        if needed <= room.usable_bytes and has_host:
            return MemoryPlan(
                t5=candidate.t5,
                transformer=candidate.transformer,
                offload=candidate.offload,
                device_bytes=needed,
                text=_text(candidate, counts, room),
            )
    assert smallest is not None
    raise ModelUnavailable(
        model,
        f"it needs {_gb(smallest)} of memory at the least, and {_gb(room.usable_bytes)} can be had",
        _remedy(room),
    )


def needs_bytes(counts: PartCounts, room: Room) -> tuple[int, ...]:
    """What its plans take, each less than the one before: first the smallest of those with which it
    draws as well as in full, last the smallest that device, main memory and what is installed
    allow."""
    good: list[int] = []
    lesser: list[int] = []
    for candidate in _possible(counts, room):
        if candidate.host_bytes(counts, *room.itemsizes) <= room.host_free_bytes:
            plans = good if candidate.draws_as_well(counts) else lesser
            plans.append(candidate.device_bytes(counts, *room.itemsizes))
    answer = [min(good)]
    for needed in lesser:
        if needed < answer[-1]:
            answer.append(needed)
    return tuple(answer)


def _possible(counts: PartCounts, room: Room) -> Iterator[Candidate]:
    """Those that the user, the device and what is installed allow."""
    asked = None if room.quantization in ("auto", "none") else room.quantization
    can_quantize = room.can_quantize and room.quantization != "none"
    for candidate in CANDIDATES if asked is None else (T5_IN_FULL, *CANDIDATES):
        if candidate.is_quantized and (room.kind == "mps" or not can_quantize):
            continue  # torchao's kernels are for CUDA and CPUs
        if asked is not None and candidate.transformer == "full":
            continue
        if candidate.offload != "none" and room.kind != "cuda":
            continue  # main memory is the device's memory there
        if counts.t5 == 0 and candidate.t5 != "dropped":
            continue
        yield candidate.kept_as(room.eight_bits, asked or room.eight_bits)


def _text(candidate: Candidate, counts: PartCounts, room: Room) -> str:
    """What is done, and why; empty where nothing is."""
    said: list[str] = []
    if candidate.transformer != "full":
        asked = "" if room.quantization == "auto" else " as asked"
        said.append(f"transformer in {BITS_WORDS[candidate.transformer]}{asked}")
    if candidate.t5 in BITS_WORDS:
        said.append(f"T5 in {BITS_WORDS[candidate.t5]}")
    if candidate.t5 == "dropped":
        what = "without T5" if counts.t5 else "no T5 at hand"
        said.append(f"{what}: long prompts and words in the picture are followed less")
    if candidate.offload == "text_encoders":
        said.append("text encoders wait in main memory: a new prompt takes seconds longer")
    elif candidate.offload == "model":
        said.append("the parts take turns on the device: each frame takes seconds longer")
    whole = _whole_bytes(counts, room)
    if said and whole > room.usable_bytes:
        why = f"all in full wants {_gb(whole)}, {_gb(room.usable_bytes)} can be had"
        return f"{', '.join(said)} ({why})"
    return ", ".join(said)


def _whole_bytes(counts: PartCounts, room: Room) -> int:
    """What the best plan would want."""
    return CANDIDATES[0].device_bytes(counts, *room.itemsizes)


def _remedy(room: Room) -> str:
    ways = ["choose a smaller model"]
    if room.free_bytes < room.total_bytes:
        ways.insert(0, "close what else uses the device")
    if room.max_bytes is not None:
        ways.append("raise max_device_memory_bytes")
    if room.quantization == "none" and room.kind != "mps":
        ways.append("leave quantization at auto")
    remedy = f"{', or '.join(ways).capitalize()}."
    if room.kind != "mps" and not room.can_quantize:
        remedy += f' With torchao installed (`pip install "{TORCHAO}"`) it needs less.'
    return remedy


def _gb(num_bytes: int) -> str:
    return f"{num_bytes / GB:.1f} GB"
