"""Turbo UI: draw and type, and the picture follows.

`python app.py` starts it and prints its address; `python app.py --help` lists the settings. A
Hugging Face Space starts it the same way. This file only puts the parts together:
settings → switchboard → engine → web → launch.
"""

from __future__ import annotations

import errno
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from turbo_ui import catalog, own_models, settings
from turbo_ui.backends.base import Backend, LoadReport
from turbo_ui.catalog import DOODLE, SD_TURBO, ModelSpec
from turbo_ui.errors import InvalidRequest, InvalidSetting, TurboUIError
from turbo_ui.file_hash import FileHashes
from turbo_ui.live.budget import Budget
from turbo_ui.live.engine import Engine
from turbo_ui.live.events import ModelState
from turbo_ui.live.room import Room
from turbo_ui.live.switchboard import Switchboard
from turbo_ui.remote_settings import by_commas
from turbo_ui.settings import Settings
from turbo_ui.web.server import Server

log = logging.getLogger("turbo_ui")

DEVICE_SHARE = 0.9


class App:
    """The whole app, from settings to an open port."""

    def __init__(self, chosen: Settings) -> None:
        self.settings = chosen
        specs = list(catalog.CATALOG)
        if chosen.remote_base_url is not None:
            # here and not above: the client that it brings takes a second to import
            from turbo_ui.backends import remote

            specs.append(remote.spec_of(chosen))
        preferred = _put_on_offer("model", chosen.model, specs)
        refining = _put_on_offer("refine_model", chosen.refine_model, specs)
        self.switchboard = Switchboard(specs, self._load, self._room)
        self.switchboard.subscribe(Console())
        self.switchboard.subscribe(self._find_hash)
        self.hashes = FileHashes()
        budget = Budget(chosen.max_remote_images_per_session)
        self.engine = Engine(self.switchboard, max_batch=chosen.max_batch, budget=budget)
        self.server = Server(self.engine, self.switchboard, chosen, preferred, refining)

    def _load(self, spec: ModelSpec, report: LoadReport) -> Backend:
        """Called on a thread of its own for each model; imports torch there, as the page need not
        wait for it. Those that come together wait for one import."""
        from turbo_ui.backends import loading

        chosen = self.settings
        backend = loading.load_spec(
            spec,
            report,
            device=chosen.device,
            dtype=chosen.dtype,
            vae=None if chosen.vae == "auto" else chosen.vae,
            max_batch=chosen.max_batch,
            text_encoders=by_commas(chosen.text_encoders),
            max_device_memory_bytes=chosen.max_device_memory_bytes,
            quantization=chosen.quantization,
            remote_settings=chosen,
        )
        if spec == DOODLE and chosen.model is None and self._is_on_cuda():
            self.server.prefer(SD_TURBO.id)
        return backend

    def _room(self) -> Room:
        """How much memory the models may take together; asked before each is read."""
        from turbo_ui.backends import compute, placement

        chosen = compute.choose(self.settings.device, self.settings.dtype)
        max_bytes = self.settings.max_device_memory_bytes
        if max_bytes is None:
            max_bytes = int(placement.room(chosen).total_bytes * DEVICE_SHARE)
        return Room(max_bytes, scale=chosen.dtype.itemsize / catalog.ITEMSIZE)

    def _find_hash(self, state: ModelState) -> None:
        """Once a single file is loaded, or cannot be: reading it twice at the same time would slow
        both, and what is missing is easier found when its name is known."""
        path = Path(self.switchboard.spec(state.model_id).source)
        # a path is absolute: what lies here by the name of a repository is not the model
        is_file = path.is_absolute() and path.is_file()
        if state.state in ("ready", "failed") and state.file_hash is None and is_file:
            model_id = state.model_id
            self.hashes.find(path, lambda found: self.switchboard.tell_hash(model_id, found))

    def _is_on_cuda(self) -> bool:
        from turbo_ui.backends import compute

        return compute.choose(self.settings.device).device.type == "cuda"

    def run(self) -> None:
        """Starts on the embedded model, opens the port, and stays until a signal asks to stop."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.server.ask_to_stop())
        self.engine.start()
        self.switchboard.request(DOODLE.id)
        # the newest wish is loaded first
        for model_id in (self.server.roster.refining, self.server.roster.preferred):
            if model_id is not None:
                self.switchboard.request(model_id)
        try:
            print(f"Turbo UI is at {self.server.start()}", flush=True)
            self.server.wait()
        finally:
            # on a machine so busy that the orderly way takes longer, the promise is kept like this
            last_resort = threading.Timer(self.settings.max_stop_s, leave, (1,))
            last_resort.daemon = True
            last_resort.start()
            self.hashes.stop(0.5)
            self.server.stop()
            last_resort.cancel()


class Console:
    """Prints where models stand: whatever is new, and every tenth of a download."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[str, object]] = {}

    def __call__(self, state: ModelState) -> None:
        is_counting = state.state == "downloading" and state.progress is not None
        stand = state.state, int((state.progress or 0) * 10) if is_counting else state.text
        if self._last.get(state.model_id) != stand and state.text:
            print(f"{state.model_id}: {state.text}", flush=True)
        self._last[state.model_id] = stand


def leave(status: int) -> None:
    """Ends the process at once.

    A model may still be loading: its thread is deep in native code, and the interpreter's own end
    would abort under it.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def _put_on_offer(setting: str, model: str | None, specs: list[ModelSpec]) -> str | None:
    """The id of the model that a setting names, which joins the others if it is new.

    Raises:
        InvalidSetting: the remote model is not set up, or is to follow the hand.
        InvalidRequest: there is no such model.
    """
    if model is None:
        return None
    if model == "remote" and catalog.find(model, tuple(specs)) is None:
        allowed = "a model that is set up: remote needs remote_base_url"
        raise InvalidSetting(setting, model, allowed)
    spec = own_models.spec_for(model, tuple(specs), setting)
    if setting == "model" and spec.family == "remote":
        allowed = "a model that may follow the hand; remote only refines, as refine_model"
        raise InvalidSetting(setting, model, allowed)
    if spec not in specs:
        specs.append(spec)
    return spec.id


def check_port(host: str, port: int) -> None:
    """Before anything is loaded, and in words: Gradio's own speak of its Python interface.

    Raises:
        InvalidSetting: something else listens there already. 0 means any port that is free.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                return  # IPv6, a name, a missing right: Gradio tells these as they are
            allowed = "a port that nothing listens on; 0 takes any that is free"
            raise InvalidSetting("port", port, allowed) from None


def check_device(device: str) -> None:
    """Before the port opens: without the device that was asked for no model can ever be had. Only
    a GPU that was named costs the import of torch here.

    Raises:
        InvalidSetting: that device is not here, or does not answer.
    """
    if device in ("auto", "cpu"):
        return
    from turbo_ui.backends import compute

    try:
        compute.choose(device)
    except InvalidRequest as error:
        raise InvalidSetting("device", device, error.allowed) from None
    except RuntimeError as error:
        allowed = f"auto, cpu, or a device that answers ({error})"
        raise InvalidSetting("device", device, allowed) from None


def main(argv: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s", level=logging.WARNING)
    try:
        chosen = settings.read(sys.argv[1:] if argv is None else argv)
        check_port(chosen.host, chosen.port)
        check_device(chosen.device)
        App(chosen).run()
    except TurboUIError as error:
        print(f"Turbo UI: {error.user_text}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"Turbo UI: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    leave(main())
