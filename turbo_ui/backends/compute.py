"""Where and in which number type a model runs, with the reason in words; and how its stages are
timed.

This is the only place that chooses; a faster path (compiled, graphs, another runtime) would belong
here.
"""

from __future__ import annotations

import contextlib
import ctypes
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from safetensors import SafetensorError

from turbo_ui.errors import BackendFailure, InvalidRequest, OutOfMemory, causes

DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
DTYPE_NAMES = {dtype: name for name, dtype in DTYPES.items()}

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # from glibc's malloc.h

NO_MEMORY = (
    "out of memory",  # CUDA, HIP, MPS, XPU
    "_status_alloc_failed",  # cuBLAS, cuDNN, hipBLAS
    "invalid buffer size",  # MPS, of one tensor larger than it may be
    "can't allocate memory",  # torch's allocator on a CPU
    "not enough memory",  # the same on Windows
    "cannot allocate memory",  # the system, on mapping a file
    "paging file is too small",  # the same on Windows
    "bad_alloc",
)
"""In lower case, what is said where memory did not suffice."""
LIBRARY_ERRORS = (RuntimeError, OSError, SafetensorError)
"""What says so."""

GPU_MAX_BATCH = 4
CPU_MAX_BATCH = 1
"""A CPU is full with one frame: a batch of two takes twice as long and the first in line waits for
both."""


@dataclass(frozen=True)
class Compute:
    """A choice of device and number type.

    Attributes:
        text: for people, with the reason.
        channels_last: the memory format in which convolutions are faster there.
        max_batch: how many frames are worth running together.
    """

    device: torch.device
    dtype: torch.dtype
    text: str
    channels_last: bool
    max_batch: int

    @property
    def dtype_name(self) -> str:
        return DTYPE_NAMES[self.dtype]

    @property
    def wide_dtype(self) -> torch.dtype:
        """For parts that overflow in fp16: bf16 where the device computes in it, else fp32."""
        if self.device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False):
            return torch.bfloat16
        return torch.float32

    @property
    def memory_format(self) -> torch.memory_format:
        return torch.channels_last if self.channels_last else torch.contiguous_format


def keep_memory() -> None:
    """Tells glibc to keep freed memory; no other C library is touched.

    Each frame frees and takes the same large tensors. By default their pages go back to the
    system and every frame pays for getting them anew, in kernel time.
    """
    with contextlib.suppress(OSError, AttributeError):
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(_M_MMAP_THRESHOLD, 1 << 30)
        libc.mallopt(_M_TRIM_THRESHOLD, (1 << 31) - 1)


def release_memory(device: torch.device) -> None:
    """Has torch hand memory that it holds unused back to the device: once a model is gone, so that
    the next one finds the room. Not after a frame, whose successor would take it again."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()


def choose(device: str | None = None, dtype: str | None = None) -> Compute:
    """Chooses what was not given.

    Args:
        device: "auto" or None, "cpu", "cuda", "cuda:1", "mps".
        dtype: "auto" or None, "fp32", "fp16", "bf16".

    Raises:
        InvalidRequest: an unknown name, or a device that is not here.
    """
    chosen, why = _device(device or "auto")
    if dtype in (None, "auto"):
        number_type = torch.float32 if chosen.type == "cpu" else torch.float16
    elif dtype in DTYPES:
        number_type = DTYPES[dtype]
    else:
        raise InvalidRequest("dtype", dtype, "auto, " + ", ".join(DTYPES))
    is_cpu = chosen.type == "cpu"
    if is_cpu:
        keep_memory()
    return Compute(
        device=chosen,
        dtype=number_type,
        text=f"{_name(chosen)}, {DTYPE_NAMES[number_type]} ({why})",
        channels_last=chosen.type != "mps",
        max_batch=CPU_MAX_BATCH if is_cpu else GPU_MAX_BATCH,
    )


def _device(name: str) -> tuple[torch.device, str]:
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda", 0), "the first CUDA device"
        if torch.backends.mps.is_available():
            return torch.device("mps"), "Apple's GPU"
        return torch.device("cpu"), "no GPU found"
    try:
        device = torch.device(name)
    except RuntimeError:
        raise InvalidRequest("device", name, "auto, cpu, cuda, cuda:N, mps") from None
    if device.type == "cuda":
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if (device.index or 0) >= count:
            raise InvalidRequest("device", name, f"auto, cpu ({count} CUDA devices are here)")
    elif device.type == "mps" and not torch.backends.mps.is_available():
        raise InvalidRequest("device", name, "auto, cpu (no Apple GPU is here)")
    elif device.type not in ("cpu", "mps"):
        raise InvalidRequest("device", name, "auto, cpu, cuda, cuda:N, mps")
    return device, "as asked"


def _name(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return {"cpu": "CPU", "mps": "Apple GPU"}[device.type]


@dataclass
class StageClock:
    """Measures the stages of one call: by CUDA events on CUDA, by the host's clock elsewhere.

    A CUDA stage costs two events and no waiting: `ms` is asked for after the picture has come back.
    """

    device: torch.device
    _host_ms: dict[str, float] = field(default_factory=dict[str, float])
    _events: list[tuple[str, torch.cuda.Event, torch.cuda.Event]] = field(
        default_factory=list[tuple[str, torch.cuda.Event, torch.cuda.Event]]
    )

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Times what is inside; a stage that is entered again adds up."""
        if self.device.type == "cuda":
            start = torch.cuda.Event(enable_timing=True)
            end = torch.cuda.Event(enable_timing=True)
            start.record()
            yield
            end.record()
            self._events.append((name, start, end))
            return
        started = time.perf_counter()
        yield
        if self.device.type == "mps":
            torch.mps.synchronize()
        spent_ms = (time.perf_counter() - started) * 1000
        self._host_ms[name] = self._host_ms.get(name, 0.0) + spent_ms

    def ms(self) -> dict[str, float]:
        """Milliseconds by stage so far."""
        answer = dict(self._host_ms)
        for name, start, end in self._events:
            end.synchronize()
            answer[name] = answer.get(name, 0.0) + start.elapsed_time(end)
        return answer


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error, or what caused it, says that memory did not suffice.

    Of the devices' allocators only CUDA's raises a type of its own, and not in all of its
    libraries: the others are told by their words.
    """
    for each in causes(error):
        if isinstance(each, torch.OutOfMemoryError | MemoryError):
            return True
        words = str(each).lower()
        if isinstance(each, LIBRARY_ERRORS) and any(known in words for known in NO_MEMORY):
            return True
    return False


@contextmanager
def told(model_id: str) -> Iterator[None]:
    """What PyTorch and diffusers raise while a model runs becomes an error of ours.

    Raises:
        OutOfMemory: the device's memory did not suffice.
        BackendFailure: anything else; the text names the model.
    """
    try:
        yield
    except (RuntimeError, ValueError, TypeError, OSError, MemoryError) as error:
        if is_out_of_memory(error):
            raise OutOfMemory(f"{model_id}: {error}") from error
        raise BackendFailure(f"{model_id}: {type(error).__name__}: {error}") from error
