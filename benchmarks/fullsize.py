"""Full-size models with random weights: as fast, and as large, as the ones that are downloaded.

Built from the configurations in `turbo_ui/backends/configs`, part by part.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTiny

from turbo_ui.backends import parts
from turbo_ui.backends.filling import tokenizer
from turbo_ui.backends.single_file import CONFIGS
from turbo_ui.backends.text_encoders import t5_tokenizer
from turbo_ui.weights import Architecture

NUM_PARAMETERS: dict[tuple[Architecture, str], int] = {
    ("sd", "unet"): 865_910_724,
    ("sd", "text_encoder"): 340_387_840,
    ("sd", "vae"): 83_653_863,
    ("sd", "tiny_vae"): 2_445_063,
    ("sdxl", "unet"): 2_567_463_684,
    ("sdxl", "text_encoder"): 123_060_480,
    ("sdxl", "text_encoder_2"): 694_659_840,
    ("sdxl", "vae"): 83_653_863,
    ("sdxl", "tiny_vae"): 2_445_063,
    ("sd3", "transformer"): 8_056_627_520,
    ("sd3", "text_encoder"): 123_650_304,
    ("sd3", "text_encoder_2"): 694_659_840,
    ("sd3", "text_encoder_3"): 4_762_310_656,
    ("sd3", "vae"): 83_819_683,
    ("sd3", "tiny_vae"): 2_458_899,
}
"""The networks of each family and how large the published ones are."""


def networks(architecture: Architecture) -> list[str]:
    """The names of a family's networks, the tiny VAE among them."""
    return [name for family, name in NUM_PARAMETERS if family == architecture]


def num_parameters(architecture: Architecture, without: tuple[str, ...] = ()) -> int:
    """Of all networks together."""
    names = [name for name in networks(architecture) if name not in without]
    return sum(NUM_PARAMETERS[architecture, name] for name in names)


def network(architecture: Architecture, name: str, **changed: Any) -> Any:
    """One network with fresh weights, on the device and in the number type that torch defaults to.

    A tiny VAE is AutoencoderTiny as it comes, for as many latent channels as the full one has.

    Args:
        changed: entries of its configuration.
    """
    folder = CONFIGS / architecture
    if name == "tiny_vae":
        channels = _config(folder / "vae")["latent_channels"]
        return AutoencoderTiny(latent_channels=channels, **changed)
    config = _config(folder / name)
    if "_class_name" in config:
        kind = parts.part_class(config["_class_name"])
        return kind.from_config({**config, **changed})
    kind = parts.part_class(config["architectures"][0])
    path = str(folder / name)
    return kind(kind.config_class.from_pretrained(path, local_files_only=True, **changed))


def build(
    architecture: Architecture,
    device: torch.device,
    dtype: torch.dtype,
    *,
    without: tuple[str, ...] = (),
    make: Callable[[Architecture, str], Any] = network,
) -> dict[str, Any]:
    """All parts of a model, made on the device in the number type; the same ones every time.

    Args:
        without: networks that are left out; a text encoder goes with its tokenizer.
        make: what a test makes smaller.
    """
    torch.manual_seed(0)
    found: dict[str, Any] = {}
    for name in networks(architecture):
        if name not in without:
            with _defaults(device, dtype):
                made = make(architecture, name)
            if any(each.dtype != dtype for each in made.buffers() if each.is_floating_point()):
                made.to(dtype)  # some classes make buffers in fp32 whatever the default is
            found[name] = made.to(device).eval().requires_grad_(False)
    for name in parts.LAYOUTS[architecture]:
        if name.startswith("tokenizer") and name.replace("tokenizer", "text_encoder") in found:
            found[name] = _tokenizer(architecture, name)
    folder = CONFIGS / architecture / "scheduler"
    config = _config(folder, "scheduler_config.json")
    found["scheduler"] = parts.part_class(config["_class_name"]).from_config(config)
    return found


def _tokenizer(architecture: Architecture, name: str) -> Any:
    if name == "tokenizer_3":
        return t5_tokenizer()
    return tokenizer(CONFIGS / architecture / name)


def _config(folder: Path, name: str = "config.json") -> dict[str, Any]:
    return json.loads((folder / name).read_text(encoding="utf-8"))


@contextmanager
def _defaults(device: torch.device, dtype: torch.dtype) -> Iterator[None]:
    """New tensors go straight to where they are wanted: nothing is made twice as large first."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with device:
            yield
    finally:
        torch.set_default_dtype(before)
