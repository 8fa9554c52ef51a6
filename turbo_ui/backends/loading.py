"""From a name to a backend: folders, the hub, and what can be wrong with either.

Weights are read from safetensors only: the older pickle files can run code when they are opened.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTiny
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from diffusers.schedulers.scheduling_euler_ancestral_discrete import (
    EulerAncestralDiscreteScheduler,
)
from diffusers.schedulers.scheduling_euler_discrete import EulerDiscreteScheduler
from diffusers.utils import logging as diffusers_logging
from huggingface_hub import snapshot_download
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from safetensors import SafetensorError
from transformers import CLIPTextModel, CLIPTokenizer
from transformers.utils import logging as transformers_logging

from turbo_ui import catalog
from turbo_ui.backends import compute
from turbo_ui.backends.base import Backend, LoadReport
from turbo_ui.backends.sampling import PREDICTION_TYPES
from turbo_ui.backends.unet_turbo import UnetTurbo
from turbo_ui.catalog import ModelSpec
from turbo_ui.errors import ModelUnavailable

log = logging.getLogger(__name__)

PIPELINES = {
    "StableDiffusionPipeline": "unet_turbo",
    "StableDiffusionImg2ImgPipeline": "unet_turbo",
}
"""Which family runs a folder, by the class that its model_index.json names."""

CLASSES: dict[str, tuple[Any, ...]] = {
    "tokenizer": (CLIPTokenizer,),
    "text_encoder": (CLIPTextModel,),
    "unet": (UNet2DConditionModel,),
    "vae": (AutoencoderKL, AutoencoderTiny),
    "scheduler": (EulerDiscreteScheduler, EulerAncestralDiscreteScheduler),
}
"""The parts of a model, by folder, and the classes that each may have."""
WEIGHTS = ("text_encoder", "unet", "vae")
SMALL_FILES = ("*.json", "*.txt", "*.model")


def load(model: str, device: str | None = None) -> Backend:
    """Loads a model and warms nothing up.

    Args:
        model: an id of the catalog, a hub id of it, or a diffusers folder.
        device: "cpu", "cuda", "cuda:1", "mps"; None chooses.

    Raises:
        InvalidRequest: no such model, or no such device.
        ModelUnavailable: it is known but cannot be had; says why and what to do.
    """
    spec = catalog.spec_for(model)
    return load_spec(spec, _silent, device=device)


def load_spec(
    spec: ModelSpec,
    report: LoadReport,
    *,
    device: str | None = None,
    dtype: str | None = None,
    vae: str | None = None,
    max_batch: int | None = None,
) -> Backend:
    """Loads what a spec names, telling `report` on the way; a `Switchboard`'s `load`.

    Args:
        device, dtype: as for `compute.choose`.
        vae: "full" or None for the model's own, "tiny" for its small stand-in.
        max_batch: the most frames of one call; None is what the device is good at, which also
            bounds it.

    Raises:
        InvalidRequest: an unknown device or number type.
        ModelUnavailable: says why and what to do.
    """
    chosen = compute.choose(device, dtype)
    folder = _folder(spec, report)
    report("loading", f"Reading {spec.title} for {chosen.text}.")
    parts = _parts(spec, folder, chosen)
    is_tiny = vae == "tiny"
    if is_tiny:
        parts["vae"] = _tiny_vae(spec, chosen, report)
    for name in ("unet", "vae", "text_encoder"):
        parts[name] = parts[name].to(chosen.device).eval().requires_grad_(False)
    for name in ("unet", "vae"):
        parts[name] = parts[name].to(memory_format=chosen.memory_format)
    batch = chosen.max_batch if max_batch is None else min(max_batch, chosen.max_batch)
    return UnetTurbo(spec, parts, chosen, "tiny" if is_tiny else "full", batch)


# --- where the files are


def _folder(spec: ModelSpec, report: LoadReport) -> Path:
    path = Path(spec.source).expanduser()
    if path.is_dir():
        return path
    if path.is_file():
        kind = "a single file" if path.suffix == ".safetensors" else "not a safetensors file"
        raise ModelUnavailable(
            spec.id, f"{path.name} is {kind}", "Give the folder of a diffusers model."
        )
    if spec.is_embedded or path.is_absolute():
        raise ModelUnavailable(
            spec.id,
            f"the folder {path.name} is not there",
            "Get the project again, or train the model with `make train-doodle`."
            if spec.is_embedded
            else "Check the path.",
        )
    return _from_hub(spec.id, spec.source, spec.revision, report)


def _from_hub(model: str, repo: str, revision: str | None, report: LoadReport) -> Path:
    """The hub's files, from the cache where they are; the fp16 variant, which is half the size."""
    wanted = [*SMALL_FILES, "*/*.fp16.safetensors", "diffusion_pytorch_model*.safetensors"]
    report("downloading", f"Getting {repo} from the hub or the cache.")
    try:
        return Path(snapshot_download(repo, revision=revision, allow_patterns=wanted))
    except GatedRepoError:
        reason = "its licence has to be accepted first"
        remedy = (
            f"Accept it on https://huggingface.co/{repo} with your account, make a read token, and "
            "start the app with HF_TOKEN set to it."
        )
    except RepositoryNotFoundError:
        reason = f"the hub knows no {repo}, or wants a login for it"
        remedy = "Check the name; for a private model set HF_TOKEN."
    except RevisionNotFoundError:
        reason, remedy = f"{repo} has no revision {revision}", "Check the revision."
    except (LocalEntryNotFoundError, OfflineModeIsEnabled):
        reason = "the hub cannot be reached and the model is not in the cache"
        remedy = "Connect to the network, or give a folder."
    except HfHubHTTPError as error:
        status = getattr(error.response, "status_code", "no status")
        reason, remedy = f"the hub answered {status}", "Try again later."
    except OSError as error:
        reason, remedy = f"the files could not be written ({error.strerror or error})", ""
    raise ModelUnavailable(model, reason, remedy)


# --- what is in them


def _index(spec: ModelSpec, folder: Path) -> dict[str, Any]:
    """The folder's model_index.json: which class each part has."""
    try:
        index = json.loads((folder / "model_index.json").read_text(encoding="utf-8"))
        class_name = index["_class_name"]
    except FileNotFoundError:
        reason = f"{folder.name} holds no model_index.json"
        remedy = "Give the folder of a diffusers model."
        raise ModelUnavailable(spec.id, reason, remedy) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelUnavailable(spec.id, f"its model_index.json cannot be read: {error}") from None
    if class_name not in PIPELINES:
        known = ", ".join(PIPELINES)
        raise ModelUnavailable(spec.id, f"it is a {class_name}", f"Known are: {known}.")
    return index


def _check_weights(spec: ModelSpec, part: Path) -> None:
    if not part.is_dir():
        reason = f"its folder {part.name} is missing"
        raise ModelUnavailable(spec.id, reason, "Get the model again.")
    if list(part.glob("*.safetensors")):
        return
    pickles = [*part.glob("*.bin"), *part.glob("*.ckpt"), *part.glob("*.pt")]
    reason = f"{part.name} holds no safetensors file"
    if pickles:
        reason += f", only {pickles[0].name}, a pickle, which can run code when it is opened"
    raise ModelUnavailable(spec.id, reason, "Get the model as safetensors.")


def _parts(spec: ModelSpec, folder: Path, chosen: compute.Compute) -> dict[str, Any]:
    """Each part by its own class: no pipeline is needed, whose import alone takes seconds."""
    index = _index(spec, folder)
    for name in WEIGHTS:
        _check_weights(spec, folder / name)
    parts: dict[str, Any] = {}
    for name, classes in CLASSES.items():
        named = index.get(name)
        class_name = named[1] if isinstance(named, list) and len(named) == 2 else None
        known = {known.__name__: known for known in classes}
        if class_name not in known:
            allowed = " or ".join(known)
            raise ModelUnavailable(spec.id, f"its {name} is {class_name}", f"Wanted is {allowed}.")
        parts[name] = _part(spec, known[class_name], folder / name, chosen)
    prediction_type = parts["scheduler"].config.prediction_type
    if prediction_type not in PREDICTION_TYPES:
        reason = f"its scheduler's prediction_type is {prediction_type}"
        raise ModelUnavailable(spec.id, reason, f"Known are: {', '.join(PREDICTION_TYPES)}.")
    return parts


def _part(spec: ModelSpec, part_class: Any, part: Path, chosen: compute.Compute) -> Any:
    options: dict[str, Any] = {"local_files_only": True}
    is_network: bool = issubclass(part_class, torch.nn.Module)
    if is_network:
        options |= {
            "dtype": chosen.dtype,
            "variant": _variant(part),
            "use_safetensors": True,
        }
    try:
        with _quiet():
            return part_class.from_pretrained(str(part), **options)
    except torch.OutOfMemoryError as error:
        reason = "the memory does not suffice"
        raise ModelUnavailable(spec.id, reason, "Choose a smaller model.") from error
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        reason = f"its {part.name} cannot be loaded ({type(error).__name__}: {str(error)[:300]})"
        raise ModelUnavailable(spec.id, reason, "Get the model again.") from error


def _variant(part: Path) -> str | None:
    """ "fp16" where the folder holds no other weights."""
    files = list(part.glob("*.safetensors"))
    return "fp16" if files and all(".fp16." in file.name for file in files) else None


def _tiny_vae(spec: ModelSpec, chosen: compute.Compute, report: LoadReport) -> Any:
    if spec.tiny_vae is None:
        raise ModelUnavailable(
            spec.id, "no tiny VAE is known for it", "Start without the setting vae=tiny."
        )
    folder = Path(spec.tiny_vae).expanduser()
    if not folder.is_dir():
        folder = _from_hub(spec.id, spec.tiny_vae, None, report)
    return _part(spec, AutoencoderTiny, folder, chosen)


@contextmanager
def _quiet() -> Iterator[None]:
    """No progress bars and no chatter of the libraries: the app tells what it does itself."""
    levels = diffusers_logging.get_verbosity(), transformers_logging.get_verbosity()
    for library in (diffusers_logging, transformers_logging):
        library.disable_progress_bar()
        library.set_verbosity_error()
    try:
        yield
    finally:
        diffusers_logging.set_verbosity(levels[0])
        transformers_logging.set_verbosity(levels[1])
        for library in (diffusers_logging, transformers_logging):
            library.enable_progress_bar()


def _silent(
    state: str,
    text: str = "",
    progress: float | None = None,
    num_bytes: int | None = None,
    total_bytes: int | None = None,
) -> None:
    """A report that nobody reads."""
