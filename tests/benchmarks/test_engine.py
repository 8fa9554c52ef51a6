"""The engine benchmark runs every way on small models, keeps its time, and says what it left
out."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks import engine, engine_report, fullsize, rigs
from benchmarks.engine_report import Cell
from benchmarks.rigs import RIGS, Rig
from benchmarks.ways import DIFFUSERS, DIFFUSERS_TINY, OURS, OURS_TINY, STAGES, timed
from turbo_ui.backends import compute
from turbo_ui.backends.compute import StageClock
from turbo_ui.frames import Sketch
from turbo_ui.weights import Architecture

WAYS = [DIFFUSERS, DIFFUSERS_TINY, OURS, OURS_TINY]

CLIP = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
}
CLIP_2 = {**CLIP, "hidden_size": 48, "num_attention_heads": 4}
VAE = {"block_out_channels": (32, 32, 32, 32), "layers_per_block": 1}
TINY_VAE = {
    "encoder_block_out_channels": (8,) * 4,
    "decoder_block_out_channels": (8,) * 4,
    "num_encoder_blocks": (1,) * 4,
    "num_decoder_blocks": (1,) * 4,
}
SMALL: dict[tuple[str, str], dict[str, Any]] = {
    ("sd", "unet"): {
        "block_out_channels": (32, 32, 32, 32),
        "attention_head_dim": (2, 2, 2, 2),
        "cross_attention_dim": 32,
        "layers_per_block": 1,
    },
    ("sd", "text_encoder"): CLIP,
    ("sdxl", "unet"): {
        "block_out_channels": (32, 32, 32),
        "attention_head_dim": (2, 2, 2),
        "transformer_layers_per_block": (1, 1, 1),
        "cross_attention_dim": 32 + 48,
        "layers_per_block": 1,
        "addition_time_embed_dim": 8,
        "projection_class_embeddings_input_dim": 6 * 8 + 40,
    },
    ("sdxl", "text_encoder"): CLIP,
    ("sdxl", "text_encoder_2"): {**CLIP_2, "projection_dim": 40},
    ("sd3", "transformer"): {
        "num_layers": 1,
        "num_attention_heads": 2,
        "attention_head_dim": 16,
        "joint_attention_dim": 128,
        "caption_projection_dim": 32,
        "pooled_projection_dim": 32 + 48,
    },
    ("sd3", "text_encoder"): {**CLIP, "projection_dim": 32},
    ("sd3", "text_encoder_2"): {**CLIP_2, "projection_dim": 48},
    ("sd3", "text_encoder_3"): {
        "d_model": 128, "d_ff": 64, "num_layers": 1, "num_heads": 2, "d_kv": 16,
    },
}  # fmt: skip


def small_network(architecture: Architecture, name: str) -> Any:
    general: dict[str, dict[str, Any]] = {"vae": VAE, "tiny_vae": TINY_VAE}
    changed = SMALL.get((architecture, name)) or general[name]
    return fullsize.network(architecture, name, **changed)


def small_build(*args: Any, **options: Any) -> dict[str, Any]:
    with torch.random.fork_rng():
        return fullsize.build(*args, **options, make=small_network)


def on_cpu(rig: Rig, *sizes_px: int) -> Rig:
    return replace(rig, spec=replace(rig.spec, min_size_px=64), cpu_sizes_px=sizes_px)


def arguments(*given: str) -> Any:
    return engine.read_arguments(["--device", "cpu", *given])


@pytest.mark.parametrize(
    ("rig", "sizes_px"),
    [(RIGS[1], (128, 192)), (RIGS[2], (64,)), (RIGS[3], (64,))],
    ids=lambda given: given.spec.id if isinstance(given, Rig) else "",
)
def test_every_way_is_measured_and_written(
    rig: Rig,
    sizes_px: tuple[int, ...],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(engine, "free_bytes", lambda _: None)  # asked for the full size's
    where = ("--out", str(tmp_path), "--machine", "a test")
    chosen = arguments("--frames", "2", "--max-seconds", "3600", *where)
    result = engine.benchmark(chosen, [on_cpu(rig, *sizes_px)], small_build)
    assert [(cell["way"], cell["size_px"]) for cell in result["cells"]] == [
        (way, size_px) for way in WAYS for size_px in sizes_px
    ]
    assert result["notes"] == []
    for cell in result["cells"]:
        assert cell["num_frames"] == 2
        stages = cell["stages_ms"]
        for name in ("vae_encode", "denoise", "vae_decode"):
            assert stages[name]["p50"] > 0, (cell["way"], name)
        assert stages["rest"]["p50"] > 0, "stages are counted once"
        is_ours = cell["way"] in (OURS, OURS_TINY)
        assert is_ours or stages["text_encode"]["p50"] > 0, "the pipelines keep no prompts"
    pairs = [(ratio["way"], ratio["baseline"]) for ratio in result["ratios"]]
    assert set(pairs) == {(OURS, DIFFUSERS), (OURS_TINY, DIFFUSERS_TINY)}
    (full,) = tmp_path.glob("*-a-test-engine.json")
    samples = json.loads(full.read_text("utf-8"))["samples"]["cells"]
    assert all(len(cell["rows"]) == len(cell["totals"]) == 2 for cell in samples)
    (short,) = tmp_path.glob("*-a-test-engine.md")
    text = short.read_text("utf-8")
    assert f"## {rig.spec.title}, {sizes_px[0]}×{sizes_px[0]}" in text
    assert "times as fast as diffusers" in text
    assert text.strip() in capsys.readouterr().out


def test_the_embedded_model_is_measured_with_its_own_weights() -> None:
    result = engine.benchmark(arguments("--frames", "1", "--quick", "--models", "doodle"))
    assert [(cell["way"], cell["size_px"]) for cell in result["cells"]] == [
        (DIFFUSERS, 256),
        (OURS, 256),
    ]


def test_what_does_not_run_here_is_said() -> None:
    chosen = arguments("--quick", "--models", "sdxl-turbo")
    (note,) = engine.benchmark(chosen)["notes"]
    assert note["title"] == "SDXL-Turbo"
    assert "is not run on cpu" in note["text"]


def test_when_the_time_is_up_sizes_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    class Slow:
        name = OURS

        def frame(self, request: Any) -> dict[str, float]:
            now[0] += 10.0
            return dict.fromkeys(STAGES, 1.0)

        def close(self) -> None:
            pass

    now = [100.0]
    monkeypatch.setattr(engine.time, "perf_counter", lambda: now[0])
    run = engine.Run(arguments(), engine.Time(ends_at=150.0, num_left=2))
    rig = on_cpu(RIGS[1], 256, 512)
    engine.measure_way(run, rig, Slow(), compute.choose("cpu"))
    (cell,) = run.cells
    assert (cell.size_px, len(cell.totals)) == (256, 1), "its share was 25 s: a warm-up and a frame"
    (note,) = run.notes
    assert note["size_px"] == 512
    assert "the time is up" in note["text"]


def test_time_is_shared_evenly_among_what_is_left() -> None:
    left = engine.Time(ends_at=100.0, num_left=4)
    assert left.next_share_s(now=0.0) == 25
    assert left.next_share_s(now=10.0) == 30
    assert left.next_share_s(now=120.0) == 0
    assert left.has_room_for(10, now=90)
    assert not left.has_room_for(11, now=90)


def test_sketches_grow_and_are_the_same_every_time() -> None:
    drawn = engine.sketches(256, 5)
    ink = [int((pixels < 200).any(axis=2).sum()) for pixels in drawn]
    assert ink == sorted(ink)
    assert len({Sketch(pixels).digest for pixels in drawn}) == 5
    assert not any(Sketch(pixels).is_empty for pixels in drawn)
    assert all(np.array_equal(a, b) for a, b in zip(drawn, engine.sketches(256, 5), strict=True))


def test_a_large_model_goes_without_t5_or_not_at_all() -> None:
    rig = RIGS[3]
    chosen = replace(compute.choose("cpu"), dtype=torch.bfloat16)
    whole = rigs.needed_bytes(rig, chosen)
    small = rigs.needed_bytes(rig, chosen, ("text_encoder_3",))
    assert whole - small == 2 * fullsize.NUM_PARAMETERS["sd3", "text_encoder_3"]
    assert rigs.what_fits(rig, chosen, whole) == ((), "")
    assert rigs.what_fits(rig, chosen, None) == ((), "")
    without, text = rigs.what_fits(rig, chosen, whole - 1)
    assert without == ("text_encoder_3",)
    assert "without T5" in text
    with pytest.raises(MemoryError, match="GB are free"):
        rigs.what_fits(rig, chosen, small - 1)
    with pytest.raises(MemoryError):
        rigs.what_fits(RIGS[1], chosen, 1)


def test_parts_are_as_before_when_they_have_been_timed() -> None:
    part = torch.nn.Linear(2, 2)
    clock = StageClock(torch.device("cpu"))

    def fails() -> None:
        with timed({"unet": part}, clock):
            part(torch.zeros(2))
            raise KeyError

    with pytest.raises(KeyError):
        fails()
    assert set(clock.ms()) == {"denoise"}
    assert "forward" not in vars(part)


def test_a_cell_adds_up() -> None:
    ours, theirs = (Cell("sd-turbo", "SD-Turbo", 512, way) for way in (OURS, DIFFUSERS))
    for total in (20.0, 30.0, 40.0):
        ours.add(total, dict.fromkeys(STAGES, 4.0))
        theirs.add(3 * total, dict.fromkeys(STAGES, 4.0))
    found = ours.summary()
    assert found["fps"] == pytest.approx(1000 / 30)
    assert found["frame_ms"] == {"p50": 30, "p95": pytest.approx(39)}
    assert found["stages_ms"]["rest"]["p50"] == 14
    (ratio,) = engine_report.ratios([theirs.summary(), found])
    assert ratio["times_as_fast"] == pytest.approx(3)
    assert Cell("sd-turbo", "SD-Turbo", 512, OURS).summary()["fps"] is None


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["--models", "doodle,sd"], "--models names 'sd'; there are doodle, sd-turbo"),
        (["--models", ","], "--models names ''"),
        (["--frames", "0"], "--frames is 0; it must be from 1 to 1000"),
        (["--max-seconds", "nan"], "--max-seconds is nan"),
        (["--out", __file__], "which is a file"),
    ],
)
def test_a_wrong_argument_is_named(
    given: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        engine.read_arguments(given)
    assert ended.value.code == 2
    assert message in capsys.readouterr().err


def test_an_unknown_device_ends_with_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert engine.main(["--device", "abacus"]) == 1
    assert "abacus" in capsys.readouterr().err
