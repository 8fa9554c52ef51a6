"""What a loaded model can run: the checks of a batch that a request alone cannot make."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from turbo_ui.catalog import ModelSpec
from turbo_ui.errors import InvalidRequest
from turbo_ui.frames import FrameRequest


def check_batch(
    requests: Sequence[FrameRequest],
    spec: ModelSpec,
    max_batch: int,
    vaes: Collection[str],
    dtype_name: str,
) -> None:
    """Refuses what this model cannot run in one call.

    Args:
        vaes: the names of those that are loaded, of "full" and "tiny".
        dtype_name: the number type in which it is loaded.

    Raises:
        InvalidRequest: too many or mixed requests, or a size, revision, VAE or number type that
            is not to be had.
    """
    if not 1 <= len(requests) <= max_batch:
        raise InvalidRequest("requests", f"{len(requests)} requests", f"1 to {max_batch}")
    if len({request.batch_key() for request in requests}) > 1:
        raise InvalidRequest("requests", "a mixed batch", "requests with the same batch_key()")
    request = requests[0]  # the key holds everything that is checked here
    if not spec.draws(request.width, request.height):
        is_wide = request.width not in spec.sizes_px
        name, side = ("width", request.width) if is_wide else ("height", request.height)
        raise InvalidRequest(name, side, _sizes_text(spec))
    if request.revision not in (None, spec.revision):
        allowed = f"{spec.revision or 'none'}, as loaded"
        raise InvalidRequest("revision", request.revision, allowed)
    if request.vae not in (None, *vaes):
        raise InvalidRequest("vae", request.vae, f"{' or '.join(vaes)}, as loaded")
    if request.dtype not in (None, dtype_name):
        allowed = f"{dtype_name}, in which the model is loaded"
        raise InvalidRequest("dtype", request.dtype, allowed)


def _sizes_text(spec: ModelSpec) -> str:
    if spec.only_sizes_px:
        pairs = " or ".join(f"{width}x{height}" for width, height in spec.only_sizes_px)
        return f"width and height of {pairs} for {spec.title}"
    sides = f"from {spec.min_size_px} to {spec.max_size_px}"
    return f"a multiple of {spec.size_step_px} {sides} for {spec.title}"
