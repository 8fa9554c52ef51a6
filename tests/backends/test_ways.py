"""However a model lies on the disk, its pictures are those of diffusers' own pipelines.

The folders of full weights are asked more in each family's own tests; here the same is asked of the
fp16 variant and of the single file in the original key layout.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests import checkpoints, checkpoints_ldm, checkpoints_sd3
from tests.backends.conftest import MakeCheckpoint
from tests.backends.parity import TOLERANCE, Reference, difference, drawing
from tests.backends.test_sd3_turbo import theirs as sd3_picture
from turbo_ui.backends import loading, single_file
from turbo_ui.backends.base import Backend
from turbo_ui.catalog import ModelSpec
from turbo_ui.frames import Frame, FrameRequest, Pixels

Draw = Callable[[FrameRequest], Pixels]
WAYS = [(family, way) for family in ("sd", "sdxl", "sd3") for way in ("fp16", "file")]


@dataclass(frozen=True)
class Model:
    """A loaded model, and the same one in diffusers' pipelines."""

    backend: Backend
    theirs: Draw

    def request(self, **fields: Any) -> FrameRequest:
        plain = {"width": 64, "height": 64, "prompt": "a cat", "seed": 3}
        return FrameRequest(**{"model": self.backend.spec.id, **plain, **fields})

    def check(self, *wanted: FrameRequest) -> list[Frame]:
        """Draws them in one batch; each is the picture that diffusers gives by itself."""
        frames = self.backend.generate(wanted)
        for asked, frame in zip(wanted, frames, strict=True):
            assert frame.request == asked
            assert frame.image.std() > 5, "a picture in which a difference would be seen"
            assert difference(frame.image, self.theirs(asked)) <= TOLERANCE, asked
        return frames


@pytest.fixture(scope="module", params=WAYS, ids="-".join)
def model(
    request: pytest.FixtureRequest,
    checkpoint: MakeCheckpoint,
    sdxl_checkpoint: MakeCheckpoint,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Model]:
    family, way = request.param
    variant = "fp16" if way == "fp16" else None
    options: dict[str, Any] = {"variant": variant} if variant else {}
    make: Callable[..., ModelSpec] = partial(checkpoints.spec, max_size_px=1024)
    if family == "sd":
        folder = checkpoint(vae_kind="kl", variant=variant)
        theirs, write = Reference.of_sd(folder, **options).picture, checkpoints_ldm.sd_file
    elif family == "sdxl":
        folder = sdxl_checkpoint(vae_kind="kl", variant=variant)
        theirs, write = Reference.of_sdxl(folder, **options).picture, checkpoints_ldm.sdxl_file
    else:
        folder = checkpoints_sd3.make(tmp_path_factory.mktemp("sd3"), variant=variant)
        theirs, write, make = (
            partial(sd3_picture, folder),
            checkpoints_ldm.sd3_file,
            checkpoints_sd3.spec,
        )
    if way == "fp16":
        assert list(folder.glob("*/*.fp16.safetensors"))
        yield Model(loaded(make(folder)), theirs)
        return
    spare = tmp_path_factory.mktemp("file")
    path: Path = write(folder, spare / "tiny.safetensors")
    configs = checkpoints_ldm.configs_of(folder, spare / "configs", family)
    named = [str(folder)] if family == "sd3" else []  # its text encoders are in no such file
    with pytest.MonkeyPatch.context() as reading:
        for name in ("read_file", "num_parameters"):
            as_tiny = partial(getattr(single_file, name), configs=configs)
            reading.setattr(single_file, name, as_tiny)
        spec = replace(make(folder), source=str(path))
        yield Model(loaded(spec, text_encoders=named), theirs)


def loaded(spec: ModelSpec, **options: Any) -> Backend:
    backend: Any = loading.load_spec(spec, lambda *_, **__: None, device="cpu", **options)
    backend.max_batch = 4
    return backend


@pytest.mark.parametrize("steps", [None, 1, 2, 4])
def test_text_to_image(model: Model, steps: int | None) -> None:
    model.check(model.request(num_inference_steps=steps, seed=5))


@pytest.mark.parametrize(
    ("steps", "strength"),
    [(None, 0.05), (None, 0.3), (None, 0.6), (None, 1.0), (2, 0.5), (4, 0.74), (3, 1.0)],
)
def test_image_to_image(model: Model, steps: int | None, strength: float) -> None:
    model.check(model.request(image=drawing(), num_inference_steps=steps, strength=strength))


@pytest.mark.parametrize("steps", [None, 4])
def test_a_batch(model: Model, steps: int | None) -> None:
    """What shares one has to be alike in steps; where none are given strengths may differ."""
    batch = [
        model.request(image=drawing(1), seed=1, strength=0.8, num_inference_steps=steps),
        model.request(image=drawing(2), strength=0.8, num_inference_steps=steps, prompt="a dog"),
        model.request(image=drawing(1), seed=1, strength=0.8, num_inference_steps=steps, prompt=""),
    ]
    if steps is None:
        batch = [replace(batch[0], strength=0.3), *batch[1:], model.request(seed=4)]
    assert [frame.index for frame in model.check(*batch)] == [*range(len(batch))]


@pytest.mark.parametrize(
    ("image", "width", "height"), [(2, 256, 256), (None, 512, 320), (2, 256, 1024)]
)
def test_sizes(model: Model, image: int | None, width: int, height: int) -> None:
    sketch = None if image is None else drawing(image, width, height)
    steps = 1 if model.backend.spec.family == "sd3_turbo" else None
    wanted = model.request(width=width, height=height, image=sketch, strength=1.0)
    [frame] = model.check(replace(wanted, num_inference_steps=steps))
    assert frame.image.shape == (height, width, 3)
