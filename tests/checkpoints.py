"""Tiny checkpoints with random weights, in the very classes and file layout of the real models."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTiny
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import StableDiffusionPipeline
from diffusers.pipelines.stable_diffusion_xl.pipeline_stable_diffusion_xl import (
    StableDiffusionXLPipeline,
)
from diffusers.schedulers.scheduling_euler_ancestral_discrete import (
    EulerAncestralDiscreteScheduler,
)
from diffusers.schedulers.scheduling_euler_discrete import EulerDiscreteScheduler
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
)

from turbo_ui.catalog import ModelSpec

VaeKind = Literal["kl", "tiny", "doodle"]

ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"
START, END = "<|startoftext|>", "<|endoftext|>"


def tokenizer(pad_token: str = END) -> CLIPTokenizer:
    """CLIP's own tokenizer class on a vocabulary of single letters, 16 tokens long.

    CLIP-L pads with its end token; the second one of SDXL with "!", here with "0".
    """
    letters = [*ALPHABET, *(letter + "</w>" for letter in ALPHABET)]
    vocabulary = {token: number for number, token in enumerate([*letters, START, END])}
    return CLIPTokenizer(vocab=vocabulary, merges=[], model_max_length=16, pad_token=pad_token)


def text_config(vocab_size: int, **options: Any) -> CLIPTextConfig:
    return CLIPTextConfig(
        **{
            "vocab_size": vocab_size,
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "max_position_embeddings": 16,
            "hidden_act": "gelu",
            "projection_dim": 32,
            "bos_token_id": vocab_size - 2,
            "eos_token_id": vocab_size - 1,
            "pad_token_id": vocab_size - 1,
            **options,
        }
    )


def text_encoder(vocab_size: int) -> CLIPTextModel:
    return CLIPTextModel(text_config(vocab_size))


def unet(latent_channels: int) -> Any:
    heads: Any = (2, 4)
    return UNet2DConditionModel(
        sample_size=8,
        in_channels=latent_channels,
        out_channels=latent_channels,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        block_out_channels=(32, 64),
        layers_per_block=1,
        cross_attention_dim=32,
        attention_head_dim=heads,
        norm_num_groups=8,
        use_linear_projection=True,
    )


def sdxl_unet() -> Any:
    """SDXL's: no attention at the full size, and told of text and sizes beside the timestep."""
    heads: Any = (2, 4)
    layers: Any = (1, 2)
    return UNet2DConditionModel(
        sample_size=8,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        block_out_channels=(32, 64),
        layers_per_block=1,
        transformer_layers_per_block=layers,
        cross_attention_dim=32 + 48,
        attention_head_dim=heads,
        norm_num_groups=8,
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=6 * 8 + 40,
    )


def vae(kind: VaeKind, scaling_factor: float = 0.18215) -> Any:
    """ "kl": SD's full VAE; "tiny": TAESD's layout; "doodle": the embedded model's, factor 16.

    `scaling_factor` is the full VAE's.
    """
    if kind == "kl":
        return full_vae(latent_channels=4, scaling_factor=scaling_factor)
    if kind == "tiny":
        return tiny_vae(num_stages=4, latent_channels=4)
    return full_vae(
        latent_channels=32,
        scaling_factor=1.0,
        down_block_types=("DownEncoderBlock2D",) * 5,
        up_block_types=("UpDecoderBlock2D",) * 5,
        block_out_channels=(8, 8, 16, 16, 16),
        use_quant_conv=False,
        use_post_quant_conv=False,
        mid_block_add_attention=False,
    )


def full_vae(**config: Any) -> AutoencoderKL:
    """AutoencoderKL, with a factor of 8 unless `config`, what its family sets, says otherwise."""
    return AutoencoderKL(
        **{
            "down_block_types": ("DownEncoderBlock2D",) * 4,
            "up_block_types": ("UpDecoderBlock2D",) * 4,
            "block_out_channels": (8, 8, 16, 16),
            "layers_per_block": 1,
            "norm_num_groups": 8,
            **config,
        }
    )


def tiny_vae(num_stages: int, **config: Any) -> AutoencoderTiny:
    """AutoencoderTiny with a factor of 2 to the power of its stages but one."""
    small = AutoencoderTiny(
        encoder_block_out_channels=(16,) * num_stages,
        decoder_block_out_channels=(16,) * num_stages,
        num_encoder_blocks=(1,) * num_stages,
        num_decoder_blocks=(1,) * num_stages,
        **config,
    )
    # fresh weights decode to an even near-black, in which no difference could be seen
    last = small.decoder.layers[-1]
    assert isinstance(last, torch.nn.Conv2d)
    with torch.no_grad():
        last.weight.mul_(20)
        assert last.bias is not None
        last.bias.fill_(0.5)
    return small


def make(
    folder: Path,
    *,
    prediction_type: str = "epsilon",
    vae_kind: VaeKind = "tiny",
    is_ancestral: bool = False,
    timestep_spacing: str = "trailing",
    variant: str | None = None,
) -> Path:
    """Saves a tiny SD-Turbo; the same arguments give the same weights."""
    with seeded():
        pipeline = _sd(prediction_type, vae_kind, is_ancestral, timestep_spacing)
    return saved(pipeline, folder, variant)


def make_sdxl(folder: Path, *, vae_kind: VaeKind = "kl", variant: str | None = None) -> Path:
    """Saves a tiny SDXL-Turbo; the same arguments give the same weights."""
    with seeded():
        words, words_2 = tokenizer(), tokenizer(pad_token="0")
        scheduler: Any = EulerAncestralDiscreteScheduler(
            beta_start=0.00085,
            beta_end=0.012,
            beta_schedule="scaled_linear",
            timestep_spacing="trailing",
            steps_offset=1,
        )
        wide = text_config(
            len(words_2), hidden_size=48, num_hidden_layers=3, projection_dim=40, pad_token_id=26
        )
        pipeline = StableDiffusionXLPipeline(
            vae=vae(vae_kind, scaling_factor=0.13025),
            text_encoder=text_encoder(len(words)),
            text_encoder_2=CLIPTextModelWithProjection(wide),
            tokenizer=words,
            tokenizer_2=words_2,
            unet=sdxl_unet(),
            scheduler=scheduler,
            add_watermarker=False,
        )
    return saved(pipeline, folder, variant)


@contextmanager
def seeded() -> Iterator[None]:
    """Weights that are the same in every run, and nobody else's dice touched."""
    with torch.random.fork_rng():
        torch.manual_seed(7)
        yield


def saved(pipeline: Any, folder: Path, variant: str | None) -> Path:
    """The folder; the variant "fp16" holds halves, as it does on the hub."""
    if variant == "fp16":
        pipeline.to(dtype=torch.float16)
    pipeline.save_pretrained(folder, variant=variant)
    return folder


def _sd(
    prediction_type: str, vae_kind: VaeKind, is_ancestral: bool, timestep_spacing: str
) -> StableDiffusionPipeline:
    words = tokenizer()
    scheduler_class: Any = (
        EulerAncestralDiscreteScheduler if is_ancestral else EulerDiscreteScheduler
    )
    scheduler = scheduler_class(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        prediction_type=prediction_type,
        timestep_spacing=timestep_spacing,
        steps_offset=1,
    )
    autoencoder = vae(vae_kind)
    return StableDiffusionPipeline(
        vae=autoencoder,
        text_encoder=text_encoder(len(words)),
        tokenizer=words,
        unet=unet(autoencoder.config["latent_channels"]),
        scheduler=scheduler,
        safety_checker=None,  # pyright: ignore[reportArgumentType]
        feature_extractor=None,  # pyright: ignore[reportArgumentType]
        requires_safety_checker=False,
    )


def spec(folder: Path, model_id: str = "tiny-turbo", max_size_px: int = 256) -> ModelSpec:
    """A catalog entry for a checkpoint that allows small pictures."""
    return ModelSpec(
        id=model_id,
        title="Tiny Turbo",
        family="unet_turbo",
        source=str(folder),
        default_size_px=64,
        min_size_px=64,
        max_size_px=max_size_px,
        size_step_px=32,
    )
