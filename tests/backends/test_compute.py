"""The choice of device and number type, and the clock of stages."""

from __future__ import annotations

import errno

import pytest
import torch
from safetensors import SafetensorError

from tests.fakes import FAKE
from turbo_ui.backends import compute, parts
from turbo_ui.errors import BackendFailure, InvalidRequest, ModelUnavailable, OutOfMemory


def test_a_cpu_computes_in_fp32_and_says_why() -> None:
    chosen = compute.choose("cpu")
    assert (chosen.device.type, chosen.dtype, chosen.dtype_name) == ("cpu", torch.float32, "fp32")
    assert chosen.text == "CPU, fp32 (as asked)"
    assert chosen.channels_last
    assert chosen.max_batch == 1


def test_a_number_type_of_ones_own() -> None:
    assert compute.choose("cpu", "bf16").dtype == torch.bfloat16
    assert compute.choose("cpu", "auto").dtype == torch.float32


def test_auto_finds_what_is_here() -> None:
    chosen = compute.choose("auto")
    expected = "cuda" if torch.cuda.is_available() else chosen.device.type
    assert chosen.device.type == expected
    assert compute.choose(None).device == chosen.device


@pytest.mark.parametrize(
    ("device", "dtype", "field"),
    [
        ("tpu", None, "device"),
        ("cuda:99", None, "device"),
        ("meta", None, "device"),
        ("cpu", "fp8", "dtype"),
    ],
)
def test_what_is_not_here_is_named(device: str, dtype: str | None, field: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        compute.choose(device, dtype)
    assert caught.value.field == field


def test_stages_add_up() -> None:
    clock = compute.StageClock(torch.device("cpu"))
    for _ in range(2):
        with clock.stage("denoise_ms"):
            torch.ones(10).sum()
    first = clock.ms()["denoise_ms"]
    with clock.stage("denoise_ms"):
        torch.ones(10).sum()
    assert 0 < first < clock.ms()["denoise_ms"]
    assert set(clock.ms()) == {"denoise_ms"}


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


NO_MEMORY: list[Exception] = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9.00 GiB."),
    RuntimeError("CUDA error: out of memory"),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
    RuntimeError("MPS backend out of memory (MPS allocated: 8.0 GB, max allowed: 9.0 GB)."),
    RuntimeError("Invalid buffer size: 20.25 GiB"),
    RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes."),
    RuntimeError("std::bad_alloc"),
    RuntimeError("unable to mmap 99 bytes from file <x>: Cannot allocate memory (12)"),
    OSError(errno.ENOMEM, "Cannot allocate memory"),
    MemoryError(),
    caused(RuntimeError("the block failed"), torch.OutOfMemoryError("full")),
]
NO_MEMORY_TO_MAP = SafetensorError("Error while opening: Cannot allocate memory (os error 12)")
ALL_ELSE: list[Exception] = [
    RuntimeError("mat1 and mat2 shapes cannot be multiplied (2x3 and 4x5)"),
    ValueError("a prompt about being out of memory"),
    TypeError("TextInputSequence must be str"),
    OSError(errno.ENOENT, "No such file or directory"),
]


@pytest.mark.parametrize("error", NO_MEMORY, ids=str)
def test_too_little_memory_is_recognised_while_running(error: Exception) -> None:
    with pytest.raises(OutOfMemory, match="fake"), compute.told("fake"):
        raise error


@pytest.mark.parametrize("error", [*NO_MEMORY, NO_MEMORY_TO_MAP], ids=str)
def test_too_little_memory_is_recognised_while_reading(error: Exception) -> None:
    with pytest.raises(OutOfMemory, match="no memory for its unet"), parts.reading(FAKE, "unet"):
        raise error


@pytest.mark.parametrize("error", ALL_ELSE, ids=str)
def test_other_errors_are_not_taken_for_too_little_memory(error: Exception) -> None:
    with pytest.raises(BackendFailure) as caught, compute.told("fake"):
        raise error
    assert not isinstance(caught.value, OutOfMemory)
    with pytest.raises(ModelUnavailable), parts.reading(FAKE, "unet"):
        raise error


def test_torchs_own_words_on_a_cpu_are_known() -> None:
    with pytest.raises(OutOfMemory), compute.told("fake"):
        torch.empty(10**15)
