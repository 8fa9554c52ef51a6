"""Tiny checkpoints with random weights, in the very classes and file layout of the real models."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTiny
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import StableDiffusionPipeline
from diffusers.schedulers.scheduling_euler_ancestral_discrete import (
    EulerAncestralDiscreteScheduler,
)
from diffusers.schedulers.scheduling_euler_discrete import EulerDiscreteScheduler
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from turbo_ui.catalog import ModelSpec

VaeKind = Literal["kl", "tiny", "doodle"]

ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"
START, END = "<|startoftext|>", "<|endoftext|>"


def tokenizer() -> CLIPTokenizer:
    """CLIP's own tokenizer class on a vocabulary of single letters, 16 tokens long."""
    letters = [*ALPHABET, *(letter + "</w>" for letter in ALPHABET)]
    vocabulary = {token: number for number, token in enumerate([*letters, START, END])}
    return CLIPTokenizer(vocab=vocabulary, merges=[], model_max_length=16)


def text_encoder(vocab_size: int) -> CLIPTextModel:
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=vocab_size,
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=4,
            max_position_embeddings=16,
            hidden_act="gelu",
            projection_dim=32,
            bos_token_id=vocab_size - 2,
            eos_token_id=vocab_size - 1,
            pad_token_id=vocab_size - 1,
        )
    )


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


def vae(kind: VaeKind) -> Any:
    """ "kl": SD's full VAE; "tiny": TAESD's layout; "doodle": the embedded model's, factor 16."""
    if kind == "kl":
        options: dict[str, Any] = {
            "down_block_types": ("DownEncoderBlock2D",) * 4,
            "up_block_types": ("UpDecoderBlock2D",) * 4,
            "block_out_channels": (8, 8, 16, 16),
        }
        return AutoencoderKL(
            layers_per_block=1,
            latent_channels=4,
            norm_num_groups=8,
            scaling_factor=0.18215,
            **options,
        )
    stages = 4 if kind == "tiny" else 5
    small = AutoencoderTiny(
        encoder_block_out_channels=(16,) * stages,
        decoder_block_out_channels=(16,) * stages,
        num_encoder_blocks=(1,) * stages,
        num_decoder_blocks=(1,) * stages,
        latent_channels=4 if kind == "tiny" else 16,
        scaling_factor=1.0 if kind == "tiny" else 16.0,
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
    rng_state = torch.random.get_rng_state()
    torch.manual_seed(7)
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
    pipeline = StableDiffusionPipeline(
        vae=autoencoder,
        text_encoder=text_encoder(len(words)),
        tokenizer=words,
        unet=unet(autoencoder.config["latent_channels"]),
        scheduler=scheduler,
        safety_checker=None,  # pyright: ignore[reportArgumentType]
        feature_extractor=None,  # pyright: ignore[reportArgumentType]
        requires_safety_checker=False,
    )
    pipeline.save_pretrained(folder, variant=variant)
    torch.random.set_rng_state(rng_state)
    return folder


def spec(folder: Path, model_id: str = "tiny-turbo") -> ModelSpec:
    """A catalog entry for a checkpoint that allows small pictures."""
    return ModelSpec(
        id=model_id,
        title="Tiny Turbo",
        family="unet_turbo",
        source=str(folder),
        default_size_px=64,
        min_size_px=64,
        max_size_px=256,
        size_step_px=32,
    )
