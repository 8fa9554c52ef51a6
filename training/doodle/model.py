"""The networks of doodle and the diffusers folder they ship in."""

import copy
import json
from pathlib import Path
from typing import Any, cast

import torch
from diffusers import (
    AutoencoderKL,
    EulerDiscreteScheduler,
    StableDiffusionPipeline,
    UNet2DConditionModel,
)
from diffusers.models.downsampling import Downsample2D
from diffusers.models.resnet import ResnetBlock2D
from diffusers.models.upsampling import Upsample2D
from torch import nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

LATENT_CHANNELS = 32
LATENT_PX = 16
WORD_TOKENS = 24
CANVAS_SIDE, NUM_CANVASES = 8, 3
NUM_TOKENS = WORD_TOKENS + NUM_CANVASES * CANVAS_SIDE**2
TEXT_WIDTH = 192


def build_autoencoder() -> Any:
    """256×256 pictures to 16×16×32 latents and back.

    Narrow where the maps are large and wide where they are small: nearly all time goes into large
    maps and nearly all capacity lies in small ones. At 64×64 a cell stands for 4×4×3 = 48 numbers,
    so it has more channels than that. The latents are the posterior's mean, whose deviation
    `fix_posterior` makes nothing.
    """
    config: dict[str, Any] = {
        "block_out_channels": (8, 16, 64, 64, 128),
        "down_block_types": ("DownEncoderBlock2D",) * 5,
        "up_block_types": ("UpDecoderBlock2D",) * 5,
        "layers_per_block": 1,
        "latent_channels": LATENT_CHANNELS,
        "norm_num_groups": 2,
        "sample_size": 256,
        "scaling_factor": 1.0,
        "force_upcast": False,
        "use_quant_conv": False,
        "use_post_quant_conv": False,
        "mid_block_add_attention": False,
    }
    vae = AutoencoderKL(**config)
    start_near_identity(vae)
    fix_posterior(vae)
    return vae


@torch.no_grad()
def start_near_identity(vae: Any) -> None:
    """Residual branches start at nothing, everything between them near the identity.

    Colour gets through at once. With the usual start the pictures were still grey after 1,300
    steps.
    """
    for module in vae.modules():
        if isinstance(module, ResnetBlock2D):
            module.conv2.weight.zero_()
            if module.conv_shortcut is not None:
                _add_identity(module.conv_shortcut.weight, 1.0)
        elif isinstance(module, Downsample2D | Upsample2D):
            _add_identity(cast("nn.Conv2d", module.conv).weight, 0.7)
    _add_identity(vae.encoder.conv_in.weight, 1.0)


def _add_identity(weight: torch.Tensor, gain: float) -> None:
    """Adds a channel-by-channel copy to a convolution's centre; what is wider repeats or cuts."""
    num_out, num_in, height, width = weight.shape
    rows = torch.arange(num_out)
    weight[rows, rows % num_in, height // 2, width // 2] += gain


@torch.no_grad()
def fix_posterior(vae: Any) -> None:
    """The encoder's log variance becomes −30 everywhere: diffusers then draws the mean."""
    last = vae.encoder.conv_out
    last.weight[LATENT_CHANNELS:].zero_()
    last.bias[LATENT_CHANNELS:].fill_(-30.0)


def encode_latents(vae: Any, pictures: torch.Tensor) -> torch.Tensor:
    """`(N, 3, H, W)` pictures, −1 to 1, as latents `(N, 32, H/16, W/16)`."""
    return vae.encode(pictures).latent_dist.mean


def build_unet() -> Any:
    """Denoiser on 16×16 latents.

    Text enters at 8×8, at the bottom, and at 16×16 on the way up: what a small thing looks like has
    to be found for every cell of it. The first and last level hold one more layer than the others,
    and two transformer layers where those have one, for there a thing lies between cells.
    """
    config: dict[str, Any] = {
        "sample_size": LATENT_PX,
        "in_channels": LATENT_CHANNELS,
        "out_channels": LATENT_CHANNELS,
        "block_out_channels": (128, 192, 256),
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
        "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
        "layers_per_block": (2, 1, 1),
        "transformer_layers_per_block": (2, 1, 1),
        "cross_attention_dim": TEXT_WIDTH,
        "attention_head_dim": (4, 4, 4),  # numbers of heads, as SD 2.x configures it
        "use_linear_projection": True,
        "norm_num_groups": 16,
        # The pooled text joins the time embedding, which scales and shifts the features of every
        # block (adaptive normalisation, Dhariwal & Nichol 2021): each knows what is asked for.
        "resnet_time_scale_shift": "scale_shift",
        "time_embedding_dim": 256,
        "addition_embed_type": "text",
        "addition_embed_type_num_heads": 4,
    }
    unet = UNet2DConditionModel(**config)
    start_from_input(unet)
    return unet


@torch.no_grad()
def start_from_input(unet: Any) -> None:
    """The first prediction is the noised sketch itself: training changes it and need not copy it.

    Each latent goes through the outermost layers twice, with both signs, because
    SiLU(x) − SiLU(−x) = x. Time and text may lower what goes through: those weights start at zero.
    With the usual start, and 60,000 pairs, the denoiser still gave sketches back as blurs.
    """
    last, num = unet.up_blocks[-1].resnets[-1], 2 * LATENT_CHANNELS
    attention = unet.up_blocks[-1].attentions[-1]
    attention.proj_out.weight.zero_()
    attention.proj_out.bias.zero_()
    for layer in (unet.conv_in, last.conv1, last.conv2, last.conv_shortcut, unet.conv_out):
        layer.weight[:num].zero_()
        layer.bias[:num].zero_()
    last.time_emb_proj.weight.view(2, -1, last.time_emb_proj.in_features)[:, :num].zero_()
    last.time_emb_proj.bias.view(2, -1)[:, :num].zero_()
    from_input = last.conv1.in_channels - unet.conv_in.out_channels  # behind what comes from below
    for latent in range(LATENT_CHANNELS):
        both = (latent, latent + LATENT_CHANNELS)
        for sign, channel in zip((1.0, -1.0), both, strict=True):
            unet.conv_in.weight[channel, latent, 1, 1] = sign
            for layer, first in ((last.conv1, from_input), (last.conv2, 0)):
                layer.weight[channel, first + both[0], 1, 1] = sign
                layer.weight[channel, first + both[1], 1, 1] = -sign
            unet.conv_out.weight[latent, channel, 1, 1] = sign


def build_scheduler() -> EulerDiscreteScheduler:
    """Noise levels chosen so that a sketch is clear up to strength 0.6 and gone at 1.0.

    σ at strengths 0.4/0.6/0.8/1.0 is 0.06/0.31/1.2/14. The pairs are what teaches the network to
    turn a sketch into the thing named; noise only takes away what it has to go by: with 0.71 at 0.6
    a third of every latent was gone. It predicts the clean latents: at high noise any other target
    would lose them in rounding.
    """
    return EulerDiscreteScheduler(
        num_train_timesteps=1000,
        trained_betas=_betas(),
        prediction_type="sample",
        timestep_spacing="trailing",
        steps_offset=1,
        interpolation_type="linear",
    )


def _betas() -> list[float]:
    """1000 values whose sum up to time u (0 to 1), which is log(1 + σ²), is 5.3 u⁸.

    The 0.001 u beside it keeps σ above 0 at the first timestep, where Euler divides by it.
    """
    u = torch.arange(1001, dtype=torch.float64) / 1000
    total = 5.3 * u**8 + 0.001 * u
    return [float(f"{beta:.4g}") for beta in 1 - torch.exp(total[:-1] - total[1:])]


def build_text_encoder(vocab_size: int, bos: int, eos: int) -> Any:
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=vocab_size,
            hidden_size=TEXT_WIDTH,
            intermediate_size=640,
            projection_dim=TEXT_WIDTH,
            num_hidden_layers=4,
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
    the diffusers models come up in fp32, and the two would not mix.
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
