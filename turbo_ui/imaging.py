"""Pictures in and out of bytes, and the request inside a saved PNG.

All arrays are `(H, W, 3) uint8 RGB 0–255`, row 0 at the top. JPEG travels (both ways 1–3 ms for
512×512); PNG is for saving only.
"""

from __future__ import annotations

import base64
import io
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, PngImagePlugin

from turbo_ui.errors import InvalidRequest
from turbo_ui.frames import MAX_SKETCH_PX, Frame, FrameRequest, Pixels, Sketch

FORMATS = ("JPEG", "PNG", "WEBP")
PAPER_RGB = (255, 255, 255)
REQUEST_CHUNK = "turbo_ui"
"""PNG text chunk with our JSON: request, path, timings."""
SKETCH_CHUNK = "turbo_ui_sketch"
"""PNG text chunk with the sketch as a PNG in base64."""
PARAMETERS_CHUNK = "parameters"
"""PNG text chunk that most tools for generated pictures read."""


@dataclass(frozen=True)
class Saved:
    """What a saved PNG tells about itself."""

    request: FrameRequest
    details: Mapping[str, Any]


def decode(data: bytes, max_px: int = MAX_SKETCH_PX) -> Pixels:
    """The pixels of a JPEG, PNG or WebP; transparency is laid over white paper.

    The size is checked before anything is unpacked, so that a small file cannot fill the memory.

    Raises:
        InvalidRequest: not such a picture, damaged, or a side longer than `max_px`.
    """
    with _opened(data, max_px) as picture:
        try:
            picture.load()
            upright = ImageOps.exif_transpose(picture)
            if upright.mode in ("RGBA", "LA", "PA", "P"):
                return flatten(np.asarray(upright.convert("RGBA")))
            return np.array(upright.convert("RGB"))
        except (OSError, ValueError, SyntaxError, EOFError, zlib.error) as error:
            raise InvalidRequest(
                "image", f"{len(data)} bytes", f"a whole picture: {error}"
            ) from None


def encode_jpeg(pixels: Pixels, quality: int = 85) -> bytes:
    """A JPEG of the pixels; without colour subsampling from 90 on."""
    buffer = io.BytesIO()
    subsampling = 0 if quality >= 90 else 2
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality, subsampling=subsampling)
    return buffer.getvalue()


def encode_png(pixels: Pixels) -> bytes:
    """A plain PNG of the pixels, without metadata."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", compress_level=6)
    return buffer.getvalue()


def flatten(rgba: npt.NDArray[np.uint8], paper: tuple[int, int, int] = PAPER_RGB) -> Pixels:
    """`(H, W, 4) uint8`, straight alpha, laid over paper of one colour."""
    alpha = rgba[..., 3:4].astype(np.uint16)
    over = rgba[..., :3].astype(np.uint16) * alpha
    under = np.array(paper, dtype=np.uint16) * (255 - alpha)
    return ((over + under + 127) // 255).astype(np.uint8)


def fit(pixels: Pixels, width: int, height: int) -> Pixels:
    """The picture at another size, whole and undistorted, on white paper where it has no part."""
    if pixels.shape[:2] == (height, width):
        return pixels
    scale = min(width / pixels.shape[1], height / pixels.shape[0])
    size = (
        max(1, min(width, round(pixels.shape[1] * scale))),
        max(1, min(height, round(pixels.shape[0] * scale))),
    )
    small = Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS)
    if size == (width, height):
        return np.array(small)
    page = Image.new("RGB", (width, height), PAPER_RGB)
    page.paste(small, ((width - size[0]) // 2, (height - size[1]) // 2))
    return np.array(page)


def save_png(frame: Frame) -> bytes:
    """The frame as a PNG from which the same request can be run again: see `open_png`.

    It also holds the `parameters` text that most tools for generated pictures read.
    """
    details = {
        "version": 1,
        "request": frame.request.to_json(),
        "path": frame.path,
        "timings": frame.timings.to_json(),
        "num_denoising_steps": frame.num_denoising_steps,
    }
    chunks = PngImagePlugin.PngInfo()
    chunks.add_itxt(REQUEST_CHUNK, json.dumps(details, ensure_ascii=False))
    chunks.add_itxt(PARAMETERS_CHUNK, parameters_text(frame))
    sketch = frame.request.sketch
    if sketch is not None:
        chunks.add_text(SKETCH_CHUNK, base64.b64encode(encode_png(sketch.pixels)).decode("ascii"))
    buffer = io.BytesIO()
    Image.fromarray(frame.image).save(buffer, "PNG", pnginfo=chunks)
    return buffer.getvalue()


def open_png(data: bytes) -> Saved:
    """The request, sketch and all, that a PNG of `save_png` holds.

    Raises:
        InvalidRequest: not such a PNG, or its request is not valid.
    """
    allowed = "a PNG that this app has saved"
    with _opened(data, MAX_SKETCH_PX) as picture:
        try:
            picture.load()
        except (OSError, ValueError, SyntaxError, EOFError, zlib.error) as error:
            raise InvalidRequest("file", f"{len(data)} bytes", f"{allowed}: {error}") from None
        text = dict(getattr(picture, "text", {}))
    try:
        details = json.loads(text[REQUEST_CHUNK])
        fields = dict(details["request"])
        sketch = None
        if SKETCH_CHUNK in text:
            packed = base64.b64decode(text[SKETCH_CHUNK], validate=True)
            sketch = Sketch(decode(packed))
    except (KeyError, TypeError, ValueError) as error:
        reason = f"{type(error).__name__} {error}"
        raise InvalidRequest("file", f"{len(data)} bytes", f"{allowed}: {reason}") from None
    return Saved(FrameRequest.from_json(fields, sketch), details)


def parameters_text(frame: Frame) -> str:
    """The request in the widely read form: the prompt, then one line of `Name: value` pairs."""
    request = frame.request
    pairs = {
        "Steps": frame.num_denoising_steps,
        "Sampler": "Euler",
        "CFG scale": f"{request.guidance_scale:g}",
        "Seed": request.seed,
        "Size": f"{request.width}x{request.height}",
        "Model": request.model,
    }
    if not request.is_text_to_image:
        pairs["Denoising strength"] = f"{request.strength:g}"
    line = ", ".join(f"{name}: {value}" for name, value in pairs.items())
    return f"{request.prompt}\n{line}"


def _opened(data: bytes, max_px: int) -> Image.Image:
    """The picture, its header read and its size checked, its pixels not yet unpacked."""
    allowed = f"a JPEG, PNG or WebP picture of at most {max_px}×{max_px} pixels"
    try:
        picture = Image.open(io.BytesIO(data), formats=FORMATS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise InvalidRequest("image", "a picture of far too many pixels", allowed) from None
    except (OSError, ValueError, SyntaxError, EOFError, zlib.error):
        raise InvalidRequest("image", f"{len(data)} bytes", allowed) from None
    if max(picture.size) > max_px:
        size = f"a picture of {picture.width}×{picture.height} pixels"
        picture.close()
        raise InvalidRequest("image", size, allowed)
    return picture
