"""Pictures in and out; a saved PNG is its whole request."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from turbo_ui import imaging
from turbo_ui.errors import InvalidRequest
from turbo_ui.frames import Frame, FrameRequest, Pixels, Sketch


def picture(width: int = 48, height: int = 32) -> Pixels:
    ramp = np.linspace(0, 255, width * height * 3).reshape(height, width, 3)
    return ramp.astype(np.uint8)


def packed(kind: str, pixels: np.ndarray | None = None, **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(picture() if pixels is None else pixels).save(buffer, kind, **options)
    return buffer.getvalue()


def test_png_and_back_is_exact() -> None:
    assert np.array_equal(imaging.decode(imaging.encode_png(picture())), picture())


@pytest.mark.parametrize("quality", [60, 85, 95])
def test_jpeg_and_back_is_close(quality: int) -> None:
    back = imaging.decode(imaging.encode_jpeg(picture(), quality))
    assert back.shape == (32, 48, 3)
    assert np.abs(back.astype(int) - picture()).mean() < 4


def test_rgb_order_and_rows_from_the_top() -> None:
    pixels = np.zeros((8, 8, 3), np.uint8)
    pixels[0] = (255, 0, 0)
    assert imaging.decode(imaging.encode_png(pixels))[0, 0].tolist() == [255, 0, 0]


def test_webp_grey_and_palette_pictures() -> None:
    assert imaging.decode(packed("WEBP", lossless=True)).shape == (32, 48, 3)
    grey = np.full((4, 4), 7, np.uint8)
    assert imaging.decode(packed("PNG", grey)).tolist() == np.full((4, 4, 3), 7).tolist()
    buffer = io.BytesIO()
    Image.fromarray(picture()).convert("P").save(buffer, "PNG")
    assert imaging.decode(buffer.getvalue()).shape == (32, 48, 3)


def test_transparency_is_laid_over_white_paper() -> None:
    rgba = np.zeros((2, 2, 4), np.uint8)
    rgba[0, 0] = (255, 0, 0, 255)
    rgba[0, 1] = (0, 0, 0, 128)
    flat = imaging.decode(packed("PNG", rgba))
    assert flat[0, 0].tolist() == [255, 0, 0]
    assert flat[0, 1].tolist() == [127, 127, 127]
    assert flat[1, 1].tolist() == [255, 255, 255]


def bomb(side: int) -> bytes:
    """A PNG header that claims so many pixels a side, and nothing behind it."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    signature = b"\x89PNG\r\n\x1a\n"
    return (
        signature
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b""))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not a picture",
        packed("JPEG")[:200],
        packed("PNG")[:-40],
        packed("GIF"),
        packed("BMP"),
        packed("PNG", np.zeros((1, 5000, 3), np.uint8)),
        packed("PNG", np.zeros((1, 50_000, 3), np.uint8)),
        bomb(10_000),
        bomb(60_000),
    ],
    ids=[
        "nothing",
        "text",
        "half a jpeg",
        "half a png",
        "gif",
        "bmp",
        "too wide",
        "50000x1",
        "small bomb",
        "bomb",
    ],
)
def test_what_is_no_picture_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidRequest) as caught:
        imaging.decode(data)
    assert caught.value.field == "image"


def test_a_limit_of_ones_own() -> None:
    assert imaging.decode(packed("PNG"), max_px=48).shape == (32, 48, 3)
    with pytest.raises(InvalidRequest, match="48×32"):
        imaging.decode(packed("PNG"), max_px=47)


@given(st.binary(max_size=300), st.sampled_from([b"", b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n"]))
def test_garbage_never_crashes(tail: bytes, head: bytes) -> None:
    with pytest.raises(InvalidRequest):
        imaging.decode(head + tail)


@given(st.data())
def test_a_damaged_picture_is_a_picture_or_an_error(data: st.DataObject) -> None:
    whole = bytearray(packed(data.draw(st.sampled_from(["JPEG", "PNG", "WEBP"]))))
    for place in data.draw(st.lists(st.integers(0, len(whole) - 1), min_size=1, max_size=5)):
        whole[place] ^= data.draw(st.integers(1, 255))
    try:
        pixels = imaging.decode(bytes(whole))
    except InvalidRequest:
        return
    assert pixels.dtype == np.uint8
    assert pixels.shape[2] == 3


def test_fit_keeps_the_same_size_as_it_is() -> None:
    pixels = picture()
    assert imaging.fit(pixels, 48, 32) is pixels


@pytest.mark.parametrize(("width", "height"), [(96, 64), (24, 16), (64, 64), (32, 128)])
def test_fit_shows_the_whole_picture_undistorted(width: int, height: int) -> None:
    fitted = imaging.fit(np.zeros((32, 48, 3), np.uint8), width, height)
    assert fitted.shape == (height, width, 3)
    drawn = (fitted.max(axis=2) < 128).nonzero()
    drawn_width = drawn[1].max() - drawn[1].min() + 1
    drawn_height = drawn[0].max() - drawn[0].min() + 1
    assert drawn_width / drawn_height == pytest.approx(1.5, rel=0.1)
    assert drawn_width == width or drawn_height == height


def frame(**fields: object) -> Frame:
    request = FrameRequest(**{"prompt": "a cät, \n“two lines”", "seed": 7, **fields})  # type: ignore[arg-type]
    return Frame(image=picture(64, 64), request=request, path="cpu fp32", num_denoising_steps=1)


NOISE = np.random.default_rng(0).integers(0, 256, (1024, 1024, 3), dtype=np.uint8)
"""A sketch that no PNG makes smaller: its text chunk is longer than readers allow by default."""


@pytest.mark.parametrize("sketch", [None, picture(64, 64), NOISE], ids=["none", "small", "noise"])
def test_a_saved_png_is_its_whole_request(sketch: Pixels | None) -> None:
    made = frame(image=sketch, strength=0.37)
    data = imaging.save_png(made)
    saved = imaging.open_png(data)
    assert saved.request == made.request
    assert saved.details["path"] == "cpu fp32"
    assert np.array_equal(imaging.decode(data), made.image)
    if sketch is not None:
        assert saved.request.sketch is not None
        assert np.array_equal(saved.request.sketch.pixels, sketch)


def test_the_parameters_that_other_tools_read() -> None:
    with Image.open(io.BytesIO(imaging.save_png(frame(image=picture(), prompt="a cat")))) as opened:
        opened.load()
        text = opened.text["parameters"]  # pyright: ignore[reportAttributeAccessIssue]
    assert text == (
        "a cat\nSteps: 1, Sampler: Euler, CFG scale: 0, Seed: 7, Size: 256x256, Model: doodle, "
        "Denoising strength: 0.6"
    )
    assert "Denoising" not in imaging.parameters_text(frame())


@pytest.mark.parametrize("data", [b"", packed("PNG"), packed("JPEG"), b"\x89PNG\r\n\x1a\n"])
def test_a_png_of_someone_elses_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidRequest):
        imaging.open_png(data)


def test_a_png_whose_sketch_was_exchanged_is_refused() -> None:
    data = imaging.save_png(frame(image=picture()))
    other = imaging.save_png(frame(image=picture()[::-1]))
    assert imaging.open_png(data).request.sketch != imaging.open_png(other).request.sketch
    stolen = imaging.open_png(other).request.sketch
    with pytest.raises(InvalidRequest, match="digest"):
        FrameRequest.from_json(frame(image=picture()).request.to_json(), stolen)
    assert Sketch(picture()) == imaging.open_png(data).request.sketch
