"""How long from the stroke to the pixel, in a real browser, and how far below plain Gradio?

`python -m benchmarks.browser` draws the same seeded strokes at 60 Hz on the app's page and on a
plain `gr.Sketchpad.change → gr.Image`, on backends that sleep 10 and 100 ms, and on doodle.
Results go to `benchmarks/results/`; the last line on stdout is JSON. See docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, Page, async_playwright
from playwright.async_api import Error as PlaywrightError

from benchmarks import browser_report, card, report, workloads
from benchmarks.browser_report import LiveRun, PlainRun
from benchmarks.pages import LivePage, PlainPage
from benchmarks.report import say
from harness import chromium
from harness.app_process import AppProcess

SUMMARY = "Measures stroke to pixel in a real browser, and plain Gradio beside it."
LIVE = ("-m", "benchmarks.standin")
PLAIN = ("-m", "benchmarks.plain")
VIEWPORT = {"width": 1280, "height": 900}
WARM_UP_S = 2.0
ANSWER_WITHIN_S = 3.0
PLAIN_WITHIN_S = 20.0
"""No stroke on the plain page begins later than this, so that the whole run stays short."""
MAX_SECONDS, MAX_STROKES = 120.0, 100


@dataclass(frozen=True)
class Case:
    """One backend, on the app's page and, where it sleeps, on the plain page."""

    name: str
    frame_ms: float | None
    """What the stand-in sleeps; None is the embedded model, which only the app runs."""


CASES = {
    "standin-10": Case("stand-in 10 ms", 10),
    "standin-100": Case("stand-in 100 ms", 100),
    "doodle": Case("doodle", None),
}


class PlainProcess(AppProcess):
    """The baseline's server: it has no /healthz, so it is ready when it gives out its page."""

    def health(self) -> tuple[int, dict[str, Any]]:
        try:
            with urllib.request.urlopen(self.url, timeout=5) as answer:
                return answer.status, {}
        except (urllib.error.HTTPError, OSError):
            return 0, {}


class Bench:
    """The runs, in one browser, one after the other: two would share the processor."""

    def __init__(self, browser: Browser, folder: Path, chosen: argparse.Namespace) -> None:
        self.browser = browser
        self.folder = folder
        self.chosen = chosen

    async def live(self, case: Case) -> LiveRun:
        """A warm-up and a drag on the app's page."""
        app = AppProcess(self.folder)
        if case.frame_ms is not None:
            app = AppProcess(self.folder, "--frame-ms", f"{case.frame_ms:g}", program=LIVE)
        async with self._page_of(app) as tab:
            page = LivePage(tab)
            pen = await page.open(app.url)
            say(f"{case.name}: warm-up, a drag of {WARM_UP_S:g} s")
            await pen.draw(workloads.drag(self.chosen.seed + 1, WARM_UP_S))
            await page.rest()
            say(f"{case.name}: a drag of {self.chosen.seconds:g} s")
            await page.record()
            drawn = await pen.draw(workloads.drag(self.chosen.seed, self.chosen.seconds))
            found = await page.collect()
            await page.rest()
        if found["lane"] != "websocket":
            raise RuntimeError(f"the page went by the lane {found['lane']!r}, not the WebSocket")
        counted = ("superseded", "bytes_sent", "bytes_received", "size_px")
        counters = {name: found[name] for name in counted}
        return LiveRun.of(case.name, found["records"], {**counters, "pointer_hz": drawn.hz})

    async def plain(self, case: Case) -> PlainRun:
        """A warm-up and short strokes on the plain page, each given `ANSWER_WITHIN_S`."""
        app = PlainProcess(self.folder, "--frame-ms", f"{case.frame_ms:g}", program=PLAIN)
        async with self._page_of(app) as tab:
            page = PlainPage(tab)
            pen = await page.open(app.url)
            strokes = workloads.short_strokes(self.chosen.seed, self.chosen.strokes + 1)
            say(f"plain way, {case.name}: warm-up, one stroke")
            await pen.draw(strokes[:1])
            await page.answer_ms(2 * ANSWER_WITHIN_S)
            say(f"plain way, {case.name}: {self.chosen.strokes} strokes")
            answers: list[float | None] = []
            until = time.monotonic() + PLAIN_WITHIN_S
            for stroke in strokes[1:]:
                if answers and time.monotonic() > until:
                    say(f"plain way, {case.name}: time is up after {len(answers)} strokes")
                    break
                await pen.draw([stroke])
                answers.append(await page.answer_ms(ANSWER_WITHIN_S))
                if answers[-1] is None:
                    # the late picture must not pass for an answer to the next stroke
                    await page.answer_ms(ANSWER_WITHIN_S)
        return PlainRun(case.name, answers, ANSWER_WITHIN_S)

    @contextlib.asynccontextmanager
    async def _page_of(self, app: AppProcess) -> AsyncIterator[Page]:
        """A started server and a tab of its own; both are closed after."""
        try:
            await asyncio.to_thread(app.start)
            context = await self.browser.new_context(viewport=VIEWPORT)  # type: ignore[arg-type]
            try:
                yield await context.new_page()
            except PlaywrightError as error:
                raise RuntimeError(f"{error}\nthe server said:\n{app.log[-3000:]}") from error
            finally:
                await context.close()
        finally:
            await asyncio.to_thread(app.kill)


def where_doodle_runs() -> tuple[str, str]:
    """Device and number type that the app would choose here."""
    from turbo_ui.backends import compute

    chosen = compute.choose()
    return chosen.text, chosen.dtype_name


async def measure(chosen: argparse.Namespace) -> dict[str, Any]:
    """All runs: prints as it goes, writes the files, returns the results without raw samples."""
    begun = time.monotonic()
    path = chromium.find()
    if path is None:
        raise RuntimeError("there is no Chromium or Chrome; `make browser` installs one")
    with tempfile.TemporaryDirectory() as folder:
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(
                executable_path=path, args=chromium.ARGUMENTS
            )
            device, dtype = where_doodle_runs()
            version = f"Chromium {browser.version}, headless, no GPU"
            facts = card.read(device, dtype, browser=version)
            report.print_card(facts)
            bench = Bench(browser, Path(folder), chosen)
            cases = [CASES[name] for name in chosen.backends]
            live = [await bench.live(case) for case in cases]
            sleeping = [case for case in cases if case.frame_ms is not None]
            plain = [] if chosen.no_plain else [await bench.plain(case) for case in sleeping]
            await browser.close()
    return finish(chosen, facts, live, plain, time.monotonic() - begun)


def finish(
    chosen: argparse.Namespace,
    facts: dict[str, str],
    live: list[LiveRun],
    plain: list[PlainRun],
    wall_s: float,
) -> dict[str, Any]:
    """Prints and writes what came out."""
    summaries = {run.backend: run.summary() for run in live}
    baselines = {run.backend: run.summary() for run in plain}
    result = {
        "benchmark": "browser",
        "card": facts,
        "workload": {
            "seed": chosen.seed,
            "hz": workloads.HZ,
            "seconds": chosen.seconds,
            "strokes": chosen.strokes,
            "is_quick": chosen.quick,
        },
        "live": summaries,
        "plain": baselines,
        "ratios": browser_report.ratios(summaries, baselines),
        "goals": [goal.to_json() for goal in browser_report.goals(summaries, baselines)],
        "wall_s": round(wall_s, 1),
    }
    samples = {"live": [asdict(run) for run in live], "plain": [asdict(run) for run in plain]}
    report.deliver(chosen, result, samples, browser_report.markdown(result), facts["machine"])
    return result


def read_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line; a wrong argument ends the program with a sentence that says why."""
    parser = argparse.ArgumentParser(prog="benchmarks.browser", description=SUMMARY)
    parser.add_argument("--seconds", type=float, default=12.0, help="length of a drag (12)")
    parser.add_argument("--strokes", type=int, default=10, help="strokes on the plain page (10)")
    parser.add_argument("--seed", type=int, default=7, help="of the strokes (7)")
    parser.add_argument("--backends", default=",".join(CASES), help="some of " + ",".join(CASES))
    parser.add_argument("--no-plain", action="store_true", help="leave the plain way out")
    report.add_arguments(parser, "short drags", "the processor's")
    chosen = parser.parse_args(argv)
    report.check_range(parser, "--seconds", chosen.seconds, 1, MAX_SECONDS)
    report.check_range(parser, "--strokes", chosen.strokes, 1, MAX_STROKES)
    report.check_out(parser, chosen.out)
    chosen.backends = report.chosen_names(parser, "--backends", chosen.backends, CASES)
    if chosen.quick:
        chosen.seconds, chosen.strokes = min(chosen.seconds, 2.0), min(chosen.strokes, 2)
    return chosen


def main(argv: Sequence[str] | None = None) -> int:
    chosen = read_arguments(argv)
    try:
        result = asyncio.run(measure(chosen))
    except (RuntimeError, ValueError, PlaywrightError) as error:
        print(f"the benchmark did not finish: {error}", file=sys.stderr)
        return 1
    print(json.dumps(result, separators=(",", ":")))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
