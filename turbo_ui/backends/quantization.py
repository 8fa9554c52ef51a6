"""Weights in fewer bits, by torchao: in place, after loading. What is computed with them stays in
the model's own number type."""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any, Literal, get_args

import torch
from torch import nn

from turbo_ui.backends.compute import Compute
from turbo_ui.backends.memory import TORCHAO, EightBits, Quantization
from turbo_ui.errors import InvalidRequest

Bits = Literal["int8", "fp8", "nf4"]

NF4_BLOCK = 64
NF4_SCALE_BLOCK = 256
"""One scale for 64 numbers, and one for 256 of those scales: a weight must be a multiple of
both."""


def is_available() -> bool:
    """Whether torchao is installed."""
    return importlib.util.find_spec("torchao") is not None


def eight_bits(dtype: torch.dtype) -> EightBits:
    """As which 8 bits are kept where a model computes in `dtype`.

    int8 is nearer to the original. But torchao scales its products after they are summed up, and
    such sums leave fp16's range; fp8 is scaled before. In neither does it use a device's units for
    8 bits, so whether there are such decides nothing.
    """
    return "fp8" if dtype == torch.float16 else "int8"


def check(asked: Quantization, compute: Compute) -> None:
    """Whether what a user asks for can be had here.

    Raises:
        InvalidRequest: no; says what can.
    """
    if asked not in get_args(Quantization):
        raise InvalidRequest("quantization", asked, ", ".join(get_args(Quantization)))
    if asked in ("auto", "none"):
        return
    allowed = ""
    if compute.device.type == "mps":
        allowed = "auto, none (torchao is not for Apple's GPU)"
    elif not is_available():
        allowed = f'auto, none; int8 and fp8 with torchao installed (`pip install "{TORCHAO}"`)'
    elif asked == "int8" and eight_bits(compute.dtype) != "int8":
        allowed = "auto, none, fp8; int8 only with dtype bf16 or fp32, as its sums overflow in fp16"
    if allowed:
        raise InvalidRequest("quantization", asked, allowed)


def quantize(network: nn.Module, bits: Bits, device: torch.device) -> None:
    """Replaces the weights of the linear layers in the network's blocks.

    Embeddings, norms, and the layers before and behind the blocks stay as they are: they are small
    and matter most.

    Args:
        bits: "int8" with a scale for each row, "fp8" (e4m3) likewise, "nf4" with a scale for each
            64 numbers.
        device: where the layers are quantized, one by one, and stay.
    """
    if bits == "nf4":
        _to_nf4(network, device)
        return
    torchao = _torchao()
    kind = torchao.Int8WeightOnlyConfig if bits == "int8" else torchao.Float8WeightOnlyConfig
    torchao.quantize_(network, kind(), filter_fn=_is_in_block, device=device)


def _to_nf4(network: nn.Module, device: torch.device) -> None:
    torchao = _torchao()
    for name, layer in network.named_modules():
        if not _is_in_block(layer, name):
            continue
        assert isinstance(layer, nn.Linear)
        if layer.weight.numel() % (NF4_BLOCK * NF4_SCALE_BLOCK):
            continue
        packed = torchao.to_nf4(layer.weight.detach().to(device), NF4_BLOCK, NF4_SCALE_BLOCK)
        layer.weight = nn.Parameter(packed, requires_grad=False)


def _torchao() -> Any:
    """An extra, imported where it is needed."""
    return importlib.import_module("torchao.quantization")


def _is_in_block(layer: Any, name: str) -> bool:
    """`name` is the layer's path in the network: blocks are numbered."""
    return isinstance(layer, nn.Linear) and any(step.isdigit() for step in name.split("."))
