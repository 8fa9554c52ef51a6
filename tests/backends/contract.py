"""What every backend promises, as tests: a subclass named `Test…` gives the backend and a request.

They ask only for what `backends.base.Backend` says, so that a new family is held to it by a fixture
and a few lines.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.backends.parity import TOLERANCE, difference, drawing
from turbo_ui.backends.base import Backend
from turbo_ui.errors import InvalidRequest
from turbo_ui.frames import Frame, FrameRequest


class BackendContract:
    """Subclasses override the fixture `backend`, with a `max_batch` of at least 3, and `wanted`.

    Attributes:
        num_steps: what the `num_inference_steps` of a text-to-image request stands for; at least 3.
    """

    num_steps = 3

    @pytest.fixture
    def backend(self) -> Backend:
        """A loaded backend; each subclass gives its own."""
        pytest.fail("a subclass of BackendContract has to give the fixture `backend`")

    @pytest.fixture
    def wanted(self) -> FrameRequest:
        """A text-to-image request that the backend can run; each subclass gives its own."""
        pytest.fail("a subclass of BackendContract has to give the fixture `wanted`")

    def sketched(self, wanted: FrameRequest, number: int = 0, **fields: Any) -> FrameRequest:
        pixels = drawing(number, wanted.width, wanted.height)
        return replace(wanted, image=pixels, strength=1.0, **fields)

    def many(self, wanted: FrameRequest) -> FrameRequest:
        return replace(wanted, num_inference_steps=self.num_steps)

    def test_it_is_a_backend(self, backend: Backend) -> None:
        assert isinstance(backend, Backend)
        assert backend.spec.title
        assert backend.device_text
        assert backend.max_batch >= 3

    def test_the_same_request_gives_the_same_pixels(
        self, backend: Backend, wanted: FrameRequest
    ) -> None:
        for request in (wanted, self.sketched(wanted)):
            (first,) = backend.generate([request])
            backend.generate([self.sketched(wanted, 5, seed=77, prompt="something else")])
            (again,) = backend.generate([request])
            assert np.array_equal(first.image, again.image)

    @pytest.mark.parametrize("change", [{"seed": 2}, {"prompt": "dogs"}])
    def test_what_is_in_the_request_changes_the_picture(
        self, backend: Backend, wanted: FrameRequest, change: dict[str, Any]
    ) -> None:
        (plain,) = backend.generate([wanted])
        (changed,) = backend.generate([replace(wanted, **change)])
        assert not np.array_equal(plain.image, changed.image)

    def test_a_picture_is_what_was_asked_for(self, backend: Backend, wanted: FrameRequest) -> None:
        (frame,) = backend.generate([wanted])
        assert frame.request == wanted
        assert frame.image.shape == (wanted.height, wanted.width, 3)
        assert frame.image.dtype == np.uint8
        assert frame.image.std() > 1, "a picture, not a plain area"
        assert frame.path
        assert frame.timings.inference_ms > 0

    def test_each_step_shows_its_picture_once_and_in_order(
        self, backend: Backend, wanted: FrameRequest
    ) -> None:
        frames = list(backend.stream([self.many(wanted)]))
        assert [frame.step for frame in frames] == list(range(1, self.num_steps + 1))
        self.check_kinds(frames)

    def test_a_batch_answers_each_request_in_its_place(
        self, backend: Backend, wanted: FrameRequest
    ) -> None:
        plain = self.many(wanted)
        batch = [replace(plain, seed=n, prompt=f"thing {n}") for n in range(3)]
        frames = list(backend.stream(batch))
        self.check_kinds(frames)
        steps = range(1, self.num_steps + 1)
        assert [(frame.step, frame.index) for frame in frames] == [
            (step, index) for step in steps for index in range(3)
        ]
        for frame in frames:
            assert frame.request == batch[frame.index]
        for request, frame in zip(batch, frames[-3:], strict=True):
            (alone,) = backend.generate([request])
            assert difference(frame.image, alone.image) <= TOLERANCE

    def test_generate_gives_the_last_frames(self, backend: Backend, wanted: FrameRequest) -> None:
        request = self.many(wanted)
        last = list(backend.stream([request]))[-1]
        (frame,) = backend.generate([request])
        assert np.array_equal(frame.image, last.image)
        assert frame.is_last

    def test_it_stops_between_steps_and_can_go_on(
        self, backend: Backend, wanted: FrameRequest
    ) -> None:
        request = self.many(wanted)
        answers = iter([False, True])
        frames = list(backend.stream([request], lambda: next(answers)))
        assert [frame.step for frame in frames] == [1, 2]
        assert not any(frame.is_last for frame in frames)
        assert backend.generate([request])[0].is_last

    def test_an_empty_board_is_text_to_image(self, backend: Backend, wanted: FrameRequest) -> None:
        paper = np.full((wanted.height, wanted.width, 3), 255, np.uint8)
        paper[3, 3] = 250  # a ripple of JPEG
        (empty,) = backend.generate([replace(wanted, image=paper)])
        (nothing,) = backend.generate([wanted])
        assert np.array_equal(empty.image, nothing.image)

    def test_a_sketch_of_another_size_is_fitted(
        self, backend: Backend, wanted: FrameRequest
    ) -> None:
        large = drawing(1, 2 * wanted.width, 3 * wanted.height)
        (frame,) = backend.generate([replace(wanted, image=large, strength=1.0)])
        assert frame.image.shape == (wanted.height, wanted.width, 3)

    def test_batches_that_cannot_be_are_refused(
        self, backend: Backend, wanted: FrameRequest
    ) -> None:
        other = replace(wanted, guidance_scale=5.0)
        for batch in ([], [wanted] * (backend.max_batch + 1), [wanted, other]):
            with pytest.raises(InvalidRequest, match="requests"):
                backend.generate(batch)
        assert backend.generate([wanted])[0].is_last, "it can still be used"

    def test_sizes_that_cannot_be_are_refused(self, backend: Backend, wanted: FrameRequest) -> None:
        spec = backend.spec
        for field in ("width", "height"):
            for side in (spec.max_size_px + spec.size_step_px, spec.min_size_px + 8):
                with pytest.raises(InvalidRequest) as caught:
                    backend.generate([replace(wanted, **{field: side})])
                assert caught.value.field == field
                assert str(side) in str(caught.value)

    def test_what_is_not_loaded_is_refused(self, backend: Backend, wanted: FrameRequest) -> None:
        other = "fp16" if "fp16" not in backend.device_text else "fp32"
        with pytest.raises(InvalidRequest) as caught:
            backend.generate([replace(wanted, dtype=other)])
        assert caught.value.field == "dtype"
        with pytest.raises(InvalidRequest) as caught:
            backend.generate([replace(wanted, revision="another")])
        assert caught.value.field == "revision"

    def test_the_longest_prompt_and_the_empty_one(
        self, backend: Backend, wanted: FrameRequest
    ) -> None:
        for prompt in ("", "word " * 400):
            (frame,) = backend.generate([replace(wanted, prompt=prompt)])
            assert frame.is_last

    def check_kinds(self, frames: list[Frame]) -> None:
        for frame in frames:
            is_last = frame.step == frame.num_denoising_steps
            assert frame.num_denoising_steps == self.num_steps
            assert frame.is_last == is_last
            assert frame.kind == ("frame" if is_last else "preview")
