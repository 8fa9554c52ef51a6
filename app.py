"""Turbo UI: draw and type, and the picture follows.

`python app.py` starts it and prints its address; `python app.py --help` lists the settings. A
Hugging Face Space starts it the same way. This file only puts the parts together:
settings → switchboard → engine → web → launch.
"""

from __future__ import annotations

import logging
import signal
import sys
from collections.abc import Sequence

from turbo_ui import catalog, settings
from turbo_ui.backends.base import Backend, LoadReport
from turbo_ui.catalog import DOODLE, SD_TURBO, ModelSpec
from turbo_ui.errors import TurboUIError
from turbo_ui.live.engine import Engine
from turbo_ui.live.switchboard import Switchboard
from turbo_ui.settings import Settings
from turbo_ui.web.server import Server

log = logging.getLogger("turbo_ui")


class App:
    """The whole app, from settings to an open port."""

    def __init__(self, chosen: Settings) -> None:
        self.settings = chosen
        specs = list(catalog.CATALOG)
        preferred = _put_on_offer(chosen.model, specs)
        refining = _put_on_offer(chosen.refine_model, specs)
        self.switchboard = Switchboard(specs, self._load)
        self.engine = Engine(self.switchboard, max_batch=chosen.max_batch)
        self.server = Server(self.engine, self.switchboard, chosen, preferred, refining)

    def _load(self, spec: ModelSpec, report: LoadReport) -> Backend:
        """Called on the loading thread; imports torch there, as the page need not wait for it."""
        report("loading", "Starting torch.")
        from turbo_ui.backends import loading

        chosen = self.settings
        backend = loading.load_spec(
            spec,
            report,
            device=None if chosen.device == "auto" else chosen.device,
            dtype=None if chosen.dtype == "auto" else chosen.dtype,
            vae=None if chosen.vae == "auto" else chosen.vae,
            max_batch=chosen.max_batch,
        )
        if spec == DOODLE and chosen.model is None and self._is_on_cuda():
            self.server.prefer(SD_TURBO.id)
        return backend

    def _is_on_cuda(self) -> bool:
        from turbo_ui.backends import compute

        name = None if self.settings.device == "auto" else self.settings.device
        return compute.choose(name).device.type == "cuda"

    def run(self) -> None:
        """Starts on the embedded model, opens the port, and stays until a signal asks to stop."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.server.ask_to_stop())
        self.engine.start()
        self.switchboard.request(DOODLE.id)
        for model_id in (self.server.roster.preferred, self.server.roster.refining):
            if model_id is not None:
                self.switchboard.request(model_id)
        try:
            print(f"Turbo UI is at {self.server.start()}", flush=True)
            self.server.wait()
        finally:
            self.server.stop()


def _put_on_offer(model: str | None, specs: list[ModelSpec]) -> str | None:
    """The id of the model that a setting names, which joins the others if it is new."""
    if model is None:
        return None
    spec = catalog.spec_for(model, tuple(specs))
    if spec not in specs:
        specs.append(spec)
    return spec.id


def main(argv: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s", level=logging.WARNING)
    try:
        App(settings.read(sys.argv[1:] if argv is None else argv)).run()
    except TurboUIError as error:
        print(f"Turbo UI: {error.user_text}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"Turbo UI: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
