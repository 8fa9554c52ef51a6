"""A tiny Stable Diffusion 3 with random weights, in the classes and the file layout of the real
one: a folder of `StableDiffusion3Pipeline`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTiny
from diffusers.models.transformers.transformer_sd3 import SD3Transformer2DModel
from diffusers.pipelines.stable_diffusion_3.pipeline_stable_diffusion_3 import (
    StableDiffusion3Pipeline,
)
from diffusers.schedulers.scheduling_flow_match_euler_discrete import (
    FlowMatchEulerDiscreteScheduler,
)
from transformers import (
    CLIPTextModelWithProjection,
    T5Config,
    T5EncoderModel,
    T5Tokenizer,
)

from tests.checkpoints import ALPHABET, full_vae, seeded, text_config, tiny_vae, tokenizer
from turbo_ui.catalog import ModelSpec

CLIP_WIDTHS = (32, 48)
T5_WIDTH = 128
"""At least the CLIPs' together, as their tokens are padded to it."""


def t5_tokenizer() -> T5Tokenizer:
    """T5's own tokenizer class on single letters."""
    special = ["<pad>", "</s>", "<unk>", "▁"]
    vocabulary = [(token, 0.0) for token in special] + [(letter, -3.0) for letter in ALPHABET]
    return T5Tokenizer(vocab=vocabulary, extra_ids=0, model_max_length=512)


def clip(vocab_size: int, width: int, hidden_act: str) -> CLIPTextModelWithProjection:
    config = text_config(
        vocab_size,
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=3,
        hidden_act=hidden_act,
        projection_dim=width,
    )
    return CLIPTextModelWithProjection(config)


def t5(vocab_size: int) -> T5EncoderModel:
    return T5EncoderModel(
        T5Config(
            vocab_size=vocab_size,
            d_model=T5_WIDTH,
            d_ff=256,
            d_kv=32,
            num_layers=2,
            num_heads=4,
            feed_forward_proj="gated-gelu",
        )
    )


def transformer(dual_attention_layers: tuple[int, ...] = ()) -> SD3Transformer2DModel:
    return SD3Transformer2DModel(
        sample_size=8,
        num_layers=3,
        num_attention_heads=4,
        attention_head_dim=16,
        joint_attention_dim=T5_WIDTH,
        caption_projection_dim=64,
        pooled_projection_dim=sum(CLIP_WIDTHS),
        pos_embed_max_size=64,
        qk_norm="rms_norm",
        dual_attention_layers=dual_attention_layers,
    )


def vae() -> AutoencoderKL:
    return full_vae(
        latent_channels=16,
        scaling_factor=1.5305,
        shift_factor=0.0609,
        use_quant_conv=False,
        use_post_quant_conv=False,
    )


def make(
    folder: Path,
    *,
    has_t5: bool = True,
    is_shift_dynamic: bool = False,
    dual_attention_layers: tuple[int, ...] = (),
    variant: str | None = None,
) -> Path:
    """Saves a tiny SD3 and, beside its parts, a `tiny_vae`; the same arguments give the same
    weights. The variant "fp16" holds halves, as it does on the hub."""
    with seeded():
        words, words_3 = tokenizer(), t5_tokenizer()
        options: dict[str, Any] = {"text_encoder_3": None, "tokenizer_3": None}
        if has_t5:
            options = {"text_encoder_3": t5(len(words_3)), "tokenizer_3": words_3}
        pipeline = StableDiffusion3Pipeline(
            transformer=transformer(dual_attention_layers),
            scheduler=FlowMatchEulerDiscreteScheduler(
                shift=3.0, use_dynamic_shifting=is_shift_dynamic
            ),
            vae=vae(),
            text_encoder=clip(len(words), CLIP_WIDTHS[0], "quick_gelu"),
            tokenizer=words,
            text_encoder_2=clip(len(words), CLIP_WIDTHS[1], "gelu"),
            tokenizer_2=tokenizer(),
            **options,
        )
        small: Any = tiny_vae(num_stages=4, latent_channels=16, shift_factor=0.0)
    if variant == "fp16":
        pipeline.to(dtype=torch.float16)
        small.to(torch.float16)
    pipeline.save_pretrained(folder, variant=variant)
    small.save_pretrained(folder / "tiny_vae", variant=variant)
    return folder


def spec(folder: Path, model_id: str = "tiny-sd3", max_size_px: int = 1024) -> ModelSpec:
    """A catalog entry for a checkpoint that allows small pictures."""
    return ModelSpec(
        id=model_id,
        title="Tiny SD3",
        family="sd3_turbo",
        source=str(folder),
        default_size_px=64,
        min_size_px=64,
        max_size_px=max_size_px,
        default_num_inference_steps=4,
        tiny_vae=str(folder / "tiny_vae"),
    )


def pipeline(folder: Path) -> Any:
    """A saved folder as diffusers loads it."""
    absent: dict[str, Any] = {}
    if not (folder / "text_encoder_3").exists():
        absent = {"text_encoder_3": None, "tokenizer_3": None}
    variant = "fp16" if list((folder / "transformer").glob("*.fp16.*")) else None
    return StableDiffusion3Pipeline.from_pretrained(
        str(folder), dtype=torch.float32, variant=variant, **absent
    )


def parts(folder: Path) -> dict[str, Any]:
    """All parts of a saved folder, loaded as the app's loading hands them to the backend."""
    components = pipeline(folder).components
    loaded = {name: part for name, part in components.items() if part is not None}
    small: Any = AutoencoderTiny.from_pretrained(str(folder / "tiny_vae"))
    loaded["tiny_vae"] = small.eval()
    return loaded
