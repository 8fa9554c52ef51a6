"""Single files in the models' original key layout, made from diffusers folders: the way back of
what loading such a file does."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

State = dict[str, torch.Tensor]

UNET, VAE = "model.diffusion_model.", "first_stage_model."
LDM_CLIP, SGM_CLIP = "cond_stage_model.model.", "conditioner.embedders.0.model."


def state_of(folder: Path, part: str) -> State:
    """A part's weights as diffusers names them."""
    (file,) = (folder / part).glob("*.safetensors")
    return load_file(file)


def config_of(folder: Path, part: str) -> dict[str, Any]:
    return json.loads((folder / part / "config.json").read_text(encoding="utf-8"))


def configs_of(folder: Path, target: Path, architecture: str) -> Path:
    """The folder of configurations for a tiny checkpoint's layout: no weights in it."""
    no_weights = shutil.ignore_patterns("*.safetensors", "model_index.json", "tiny_vae")
    shutil.copytree(folder, target / architecture, ignore=no_weights)
    return target


def sd_file(folder: Path, path: Path, clip: str = LDM_CLIP) -> Path:
    """SD-Turbo's layout; `clip` is what its text encoder's names begin with."""
    text = prefixed(open_clip(state_of(folder, "text_encoder")), clip)
    # the original holds one more layer than is used
    last = max(int(key.split("resblocks.")[1].split(".")[0]) for key in text if "resblocks" in key)
    more = {
        key.replace(f"resblocks.{last}.", f"resblocks.{last + 1}."): torch.zeros_like(tensor)
        for key, tensor in text.items()
        if f"resblocks.{last}." in key
    }
    return save(path, {**unet_and_vae(folder), **text, **more, "model_ema.decay": torch.zeros(1)})


def sdxl_file(folder: Path, path: Path) -> Path:
    """SDXL-Turbo's layout."""
    small = {f"text_model.{key}": tensor for key, tensor in plain_clip(folder).items()}
    large = state_of(folder, "text_encoder_2")
    text = open_clip({key.removeprefix("text_model."): value for key, value in large.items()})
    return save(
        path,
        {
            **unet_and_vae(folder),
            **prefixed(small, "conditioner.embedders.0.transformer."),
            **prefixed(text, "conditioner.embedders.1.model."),
        },
    )


def sd3_file(folder: Path, path: Path, prefix: str = UNET) -> Path:
    """Stable Diffusion 3's layout, without text encoders."""
    num_layers = config_of(folder, "transformer")["num_layers"]
    state = sd3_transformer(state_of(folder, "transformer"), num_layers)
    return save(path, {**prefixed(state, prefix), **vae(folder)})


def text_encoder_files(folder: Path, target: Path) -> list[Path]:
    """CLIP-L (without its projection), CLIP-G and T5 as files of their own, T5's vocabulary beside
    them. The projections of such CLIP-L are the identity."""
    clip_l = state_of(folder, "text_encoder")
    clip_l.pop("text_projection.weight")
    t5 = state_of(folder, "text_encoder_3")
    t5.pop("encoder.embed_tokens.weight", None)
    shutil.copy(folder / "tokenizer_3" / "tokenizer.json", target / "tokenizer.json")
    return [
        save(target / "clip_l.safetensors", clip_l),
        save(target / "clip_g.safetensors", state_of(folder, "text_encoder_2")),
        save(target / "t5xxl.safetensors", t5),
    ]


def save(path: Path, state: State) -> Path:
    save_file({key: tensor.contiguous() for key, tensor in state.items()}, path)
    return path


def prefixed(state: State, prefix: str) -> State:
    return {prefix + key: tensor for key, tensor in state.items()}


# --- UNet and VAE


def unet_and_vae(folder: Path) -> State:
    return {**prefixed(unet(folder), UNET), **vae(folder)}


def unet(folder: Path) -> State:
    state, config = state_of(folder, "unet"), config_of(folder, "unet")
    names = {
        "conv_in": "input_blocks.0.0",
        "time_embedding.linear_1": "time_embed.0",
        "time_embedding.linear_2": "time_embed.2",
        "add_embedding.linear_1": "label_emb.0.0",
        "add_embedding.linear_2": "label_emb.0.2",
        "conv_norm_out": "out.0",
        "conv_out": "out.2",
        "mid_block.resnets.0": "middle_block.0",
        "mid_block.attentions.0": "middle_block.1",
        "mid_block.resnets.1": "middle_block.2",
        **dict(_unet_blocks(config, state)),
    }
    return renamed(state, names, _unet_resnet)


def _unet_blocks(config: dict[str, Any], state: State) -> Iterator[tuple[str, str]]:
    """diffusers' down and up blocks, and their places in the flat lists of the original."""
    num_layers, num_blocks = config["layers_per_block"], len(config["block_out_channels"])
    place = 1
    for block in range(num_blocks):
        for layer in range(num_layers):
            yield f"down_blocks.{block}.resnets.{layer}", f"input_blocks.{place}.0"
            yield f"down_blocks.{block}.attentions.{layer}", f"input_blocks.{place}.1"
            place += 1
        yield f"down_blocks.{block}.downsamplers.0.conv", f"input_blocks.{place}.0.op"
        place += 1
    place = 0
    for block in range(num_blocks):
        has_attention = any(key.startswith(f"up_blocks.{block}.attentions") for key in state)
        for layer in range(num_layers + 1):
            yield f"up_blocks.{block}.resnets.{layer}", f"output_blocks.{place}.0"
            yield f"up_blocks.{block}.attentions.{layer}", f"output_blocks.{place}.1"
            place += 1
        index = 2 if has_attention else 1
        yield f"up_blocks.{block}.upsamplers.0.conv", f"output_blocks.{place - 1}.{index}.conv"


def _unet_resnet(rest: str) -> str:
    for new, old in {
        "norm1.": "in_layers.0.",
        "conv1.": "in_layers.2.",
        "time_emb_proj.": "emb_layers.1.",
        "norm2.": "out_layers.0.",
        "conv2.": "out_layers.3.",
        "conv_shortcut.": "skip_connection.",
    }.items():
        if rest.startswith(new):
            return old + rest.removeprefix(new)
    return rest


def vae(folder: Path) -> State:
    state, config = state_of(folder, "vae"), config_of(folder, "vae")
    num_blocks = len(config["block_out_channels"])
    names: dict[str, str] = {}
    for side in ("encoder", "decoder"):
        for place in (0, 1):
            names[f"{side}.mid_block.resnets.{place}"] = f"{side}.mid.block_{place + 1}"
        names[f"{side}.mid_block.attentions.0"] = f"{side}.mid.attn_1"
        names[f"{side}.conv_norm_out"] = f"{side}.norm_out"
    for block in range(num_blocks):
        for layer in range(config["layers_per_block"] + 1):
            down, up = f"encoder.down_blocks.{block}", f"decoder.up_blocks.{block}"
            names[f"{down}.resnets.{layer}"] = f"encoder.down.{block}.block.{layer}"
            names[f"{down}.downsamplers.0.conv"] = f"encoder.down.{block}.downsample.conv"
            back = num_blocks - 1 - block
            names[f"{up}.resnets.{layer}"] = f"decoder.up.{back}.block.{layer}"
            names[f"{up}.upsamplers.0.conv"] = f"decoder.up.{back}.upsample.conv"
    old = renamed(state, names, _vae_inner)
    for key, tensor in old.items():
        if ".attn_1." in key and ".norm." not in key and key.endswith("weight"):
            old[key] = tensor[:, :, None, None]  # a convolution of one pixel, once
    return prefixed(old, VAE)


def _vae_inner(rest: str) -> str:
    for new, old in {
        "group_norm.": "norm.",
        "to_q.": "q.",
        "to_k.": "k.",
        "to_v.": "v.",
        "to_out.0.": "proj_out.",
        "conv_shortcut.": "nin_shortcut.",
    }.items():
        if rest.startswith(new):
            return old + rest.removeprefix(new)
    return rest


def renamed(state: State, names: dict[str, str], inner: Callable[[str], str]) -> State:
    """`names` maps what keys begin with; `inner` the rest of those keys."""
    answer: State = {}
    for key, tensor in state.items():
        for new, old in names.items():
            if key.startswith(new + "."):
                answer[f"{old}.{inner(key.removeprefix(new + '.'))}"] = tensor
                break
        else:
            answer[key] = tensor
    return answer


# --- text encoders


def plain_clip(folder: Path) -> State:
    return {
        key.removeprefix("text_model."): tensor
        for key, tensor in state_of(folder, "text_encoder").items()
    }


def open_clip(state: State) -> State:
    """OpenCLIP's layout: attention in one matrix, the projection the other way round."""
    state = {key.removeprefix("text_model."): tensor for key, tensor in state.items()}
    answer: State = {}
    for key, tensor in state.items():
        if key == "text_projection.weight":
            answer["text_projection"] = tensor.T
        elif key.startswith("encoder.layers."):
            name = key.replace("encoder.layers.", "transformer.resblocks.")
            for new, old in {
                "layer_norm1": "ln_1",
                "layer_norm2": "ln_2",
                ".fc1.": ".c_fc.",
                ".fc2.": ".c_proj.",
                ".self_attn.": ".attn.",
            }.items():
                name = name.replace(new, old)
            if ".q_proj." in key:
                both = [state[key.replace("q_proj", f"{which}_proj")] for which in "qkv"]
                answer[name.replace("q_proj.", "in_proj_")] = torch.cat(both)
            elif ".k_proj." not in key and ".v_proj." not in key:
                answer[name] = tensor
    return answer | {
        "positional_embedding": state["embeddings.position_embedding.weight"],
        "token_embedding.weight": state["embeddings.token_embedding.weight"],
        "ln_final.weight": state["final_layer_norm.weight"],
        "ln_final.bias": state["final_layer_norm.bias"],
    }


# --- Stable Diffusion 3's transformer


def sd3_transformer(state: State, num_layers: int) -> State:
    names = {
        "pos_embed.proj": "x_embedder.proj",
        "time_text_embed.timestep_embedder.linear_1": "t_embedder.mlp.0",
        "time_text_embed.timestep_embedder.linear_2": "t_embedder.mlp.2",
        "time_text_embed.text_embedder.linear_1": "y_embedder.mlp.0",
        "time_text_embed.text_embedder.linear_2": "y_embedder.mlp.2",
        "proj_out": "final_layer.linear",
        "norm_out.linear": "final_layer.adaLN_modulation.1",
    }
    for layer in range(num_layers):
        new, old = f"transformer_blocks.{layer}", f"joint_blocks.{layer}"
        for side, mark, norm in (
            ("x_block", "", "norm1"),
            ("context_block", "_context", "norm1_context"),
        ):
            names[f"{new}.{norm}.linear"] = f"{old}.{side}.adaLN_modulation.1"
            names[f"{new}.ff{mark}.net.0.proj"] = f"{old}.{side}.mlp.fc1"
            names[f"{new}.ff{mark}.net.2"] = f"{old}.{side}.mlp.fc2"
        for attention in ("attn", "attn2"):
            inner = f"{new}.{attention}", f"{old}.x_block.{attention}"
            names[f"{inner[0]}.to_out.0"] = f"{inner[1]}.proj"
            names[f"{inner[0]}.norm_q"] = f"{inner[1]}.ln_q"
            names[f"{inner[0]}.norm_k"] = f"{inner[1]}.ln_k"
        names[f"{new}.attn.to_add_out"] = f"{old}.context_block.attn.proj"
        names[f"{new}.attn.norm_added_q"] = f"{old}.context_block.attn.ln_q"
        names[f"{new}.attn.norm_added_k"] = f"{old}.context_block.attn.ln_k"
    answer = renamed(state, names, lambda rest: rest)
    answer["pos_embed"] = answer.pop("pos_embed.pos_embed")
    for key in [key for key in answer if ".to_q." in key or ".add_q_proj." in key]:
        if ".to_q." in key:
            several = [answer.pop(key.replace("to_q", f"to_{which}")) for which in "qkv"]
            old = key.replace("transformer_blocks", "joint_blocks").replace("to_q", "qkv")
            old = old.replace(".attn", ".x_block.attn")
        else:
            several = [answer.pop(key.replace("add_q", f"add_{which}")) for which in "qkv"]
            old = key.replace("transformer_blocks", "joint_blocks").replace("add_q_proj", "qkv")
            old = old.replace(".attn", ".context_block.attn")
        answer[old] = torch.cat(several)
    swapped = ["final_layer", f"joint_blocks.{num_layers - 1}.context_block"]
    for key in [f"{name}.adaLN_modulation.1.{kind}" for name in swapped for kind in WEIGHT_BIAS]:
        first, second = answer[key].chunk(2)
        answer[key] = torch.cat([second, first])
    return answer


WEIGHT_BIAS = ("weight", "bias")
