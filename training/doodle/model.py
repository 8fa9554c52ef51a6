"""The networks of doodle and the diffusers folder they ship in."""

import copy
import json
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderTiny,
    EulerDiscreteScheduler,
    StableDiffusionPipeline,
    UNet2DConditionModel,
)
from diffusers.models.unets.unet_2d_blocks import AutoencoderTinyBlock
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

LATENT_CHANNELS = 16
LATENT_PX = 16
NUM_TOKENS = 24
TEXT_WIDTH = 192


def build_autoencoder() -> Any:
    """256×256 pictures to 16×16×16 latents and back.

    No blocks at full size: on a CPU they cost most and add least. The encoder only sees each
    picture once,
    so it is narrower than the decoder.
    """
    vae = AutoencoderTiny(
        encoder_block_out_channels=(32,) * 5,
        decoder_block_out_channels=(40,) * 5,
        num_encoder_blocks=(0, 1, 2, 2, 3),
        num_decoder_blocks=(3, 3, 2, 1, 0),
        latent_channels=LATENT_CHANNELS,
        force_upcast=False,
    )
    for module in vae.modules():
        if isinstance(module, AutoencoderTinyBlock):  # residual branches start at nothing …
            for parameter in module.conv[-1].parameters():
                torch.nn.init.zeros_(parameter)
        elif isinstance(module, torch.nn.Conv2d) and module.bias is None:
            with (
                torch.no_grad()
            ):  # … and size changes near the identity: colour gets through at once
                module.weight[:, :, 1, 1] += 0.7 * torch.eye(module.out_channels)
    return vae


def build_unet() -> Any:
    """Denoiser on 16×16 latents; text enters at 8×8 and 4×4, where it costs little."""
    config: dict[str, Any] = {
        "sample_size": LATENT_PX,
        "in_channels": LATENT_CHANNELS,
        "out_channels": LATENT_CHANNELS,
        "block_out_channels": (128, 224, 256),
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        "layers_per_block": 1,
        "cross_attention_dim": TEXT_WIDTH,
        "attention_head_dim": (2, 4, 4),  # numbers of heads, as SD 2.x configures it
        "use_linear_projection": True,
        "norm_num_groups": 16,
        # The pooled text joins the time embedding too, so that every block knows what is asked for.
        "addition_embed_type": "text",
        "addition_embed_type_num_heads": 4,
    }
    return UNet2DConditionModel(**config)


def build_scheduler() -> EulerDiscreteScheduler:
    """Noise levels chosen so that a sketch is still legible at strength 0.6 and gone at 1.0.

    σ at strengths 0.3/0.4/0.6/0.8/1.0 is about 0.4/0.6/1.5/3.7/14. The network predicts the clean
    latents:
    at high noise any other target would lose them in rounding.
    """
    return EulerDiscreteScheduler(
        num_train_timesteps=1000,
        beta_start=1e-6,
        beta_end=0.0159,
        beta_schedule="scaled_linear",
        prediction_type="sample",
        timestep_spacing="trailing",
        steps_offset=1,
        interpolation_type="linear",
    )


def build_text_encoder(vocab_size: int, bos: int, eos: int) -> Any:
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=vocab_size,
            hidden_size=TEXT_WIDTH,
            intermediate_size=2 * TEXT_WIDTH,
            projection_dim=TEXT_WIDTH,
            num_hidden_layers=3,
            num_attention_heads=4,
            max_position_embeddings=NUM_TOKENS,
            hidden_act="gelu",
            bos_token_id=bos,
            eos_token_id=eos,
            pad_token_id=eos,
        )
    )


def sigmas(scheduler: EulerDiscreteScheduler) -> torch.Tensor:
    """σ for each of the 1000 timesteps, `(1000,) float32`."""
    alphas = scheduler.alphas_cumprod.float()
    return ((1 - alphas) / alphas).sqrt()


def export(
    folder: Path,
    vae: Any,
    unet: Any,
    text_encoder: Any,
    tokenizer: CLIPTokenizer,
) -> None:
    """Write an ordinary diffusers folder: UNet and VAE in fp16, the text encoder in fp32.

    The text encoder stays fp32 because loading without a dtype keeps it in its stored type while
    the
    diffusers models come up in fp32, and the two would not mix.
    """
    parts: dict[str, Any] = {
        "vae": vae,
        "text_encoder": text_encoder.float(),
        "tokenizer": tokenizer,
        "unet": unet,
        "scheduler": build_scheduler(),
        "safety_checker": None,
        "feature_extractor": None,
        "requires_safety_checker": False,
    }
    pipeline = StableDiffusionPipeline(**parts)
    folder.mkdir(parents=True, exist_ok=True)
    pipeline.save_pretrained(folder)
    copy.deepcopy(unet).half().save_pretrained(folder / "unet")
    copy.deepcopy(vae).half().save_pretrained(folder / "vae")
    index = json.loads((folder / "model_index.json").read_text())
    index["_name_or_path"] = "doodle"
    (folder / "model_index.json").write_text(json.dumps(index, indent=2) + "\n")
