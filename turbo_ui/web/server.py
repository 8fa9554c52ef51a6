"""Launches the page with the live lane on one port, and stops both cleanly."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from typing import Any

from turbo_ui.live.engine import Engine
from turbo_ui.live.switchboard import Switchboard
from turbo_ui.settings import Settings
from turbo_ui.web import prometheus, routes, theme, ui
from turbo_ui.web.generate import Generate
from turbo_ui.web.images_api import ImagesApi
from turbo_ui.web.lane import Lane
from turbo_ui.web.roster import Roster

log = logging.getLogger(__name__)

CLOSING_S = 1.0
"""So much of a stop is kept back from the frame in flight, for sending it and for closing
connections, port and models: five times what that takes where nothing hangs."""
HANGING_S = 1.0
"""A connection that does not close is waited for no longer, even where there is time."""
MARGIN_BYTES = 128 * 1024
"""A message's length and header on top of `max_message_bytes` of picture."""


class Server:
    """The running web side.

    Args:
        engine: started by whoever made it; this stops it.
        switchboard: its models are offered on the page.
        settings: host, port, login, limits.
        preferred: id of the model for pages that have not chosen one; None is the first ready one.
        refining: id of the model that refines for pages that have not chosen one; None is none.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        engine: Engine,
        switchboard: Switchboard,
        settings: Settings,
        preferred: str | None = None,
        refining: str | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.engine = engine
        self.switchboard = switchboard
        self.settings = settings
        self.roster = Roster(switchboard, preferred, refining)
        self.lane = Lane(engine, self.roster, settings)
        self.api = ImagesApi(engine, self.roster, settings)
        self.blocks = ui.build(
            switchboard.catalog, settings, Generate(engine, self.roster, settings)
        )
        self._clock = clock
        self._stop_asked = threading.Event()
        self._stop_asked_at: float | None = None

    def start(self) -> str:
        """Opens the port and returns the address; does not block."""
        settings = self.settings
        watch = prometheus.route(self.engine, self.roster, self.lane)
        beside = [*self.lane.routes, self.api.route, watch, *routes.build(self.roster)]
        # uvicorn reads whom it believes from here; Gradio's launch has no words for it
        os.environ["FORWARDED_ALLOW_IPS"] = ",".join(settings.proxies)
        _, url, _ = self.blocks.launch(
            server_name=settings.host,
            server_port=settings.port or None,
            auth=settings.login,
            prevent_thread_lock=True,
            quiet=True,
            share=False,
            # the proxy of server-side rendering cannot upgrade to a WebSocket
            ssr_mode=False,
            # Gradio's check whether its page answers within 3 s: a busy machine would not start
            _frontend=False,
            # else every event is kept in the browser's storage and takes five times longer
            run_history=False,
            footer_links=["api", "gradio"],
            max_file_size=settings.max_message_bytes,
            theme=theme.build(),
            head=ui.HEAD,
            app_kwargs={"routes": beside},
        )
        self._tune(self.blocks.server.config)
        return url

    def _tune(self, config: Any) -> None:
        """uvicorn reads these for each new connection; Gradio's launch has no words for them."""
        config.ws_per_message_deflate = False  # JPEG does not get smaller, only later
        config.ws_max_size = self.settings.max_message_bytes + MARGIN_BYTES

    def prefer(self, model_id: str) -> None:
        """Has a model loaded for all pages that have not chosen one. From any thread."""
        self.roster.preferred = model_id
        self.switchboard.request(model_id)

    def ask_to_stop(self) -> None:
        """Ends `wait`; safe in a signal handler. From now on the stop's time runs."""
        if self._stop_asked_at is None:
            self._stop_asked_at = self._clock()
        self._stop_asked.set()

    def wait(self) -> None:
        """Blocks until `ask_to_stop`."""
        while not self._stop_asked.wait(0.5):
            pass

    def stop(self) -> None:
        """Tells the pages, lets the frame in flight end, closes connections, port and models.

        All by one deadline, `max_stop_s` after `ask_to_stop`, or after now where nobody asked.
        """
        max_stop_s = self.settings.max_stop_s
        begun = self._clock() if self._stop_asked_at is None else self._stop_asked_at
        closing_s = min(CLOSING_S, max_stop_s / 2)

        def left_s(share: float) -> float:
            """Seconds until only this share of the closing time remains."""
            return max(0.0, begun + max_stop_s - share * closing_s - self._clock())

        self.lane.announce_stop()
        if not self.engine.stop(left_s(1.0)):
            log.warning("the frame in flight did not end in time")
        self.api.stop()
        self.lane.stop(min(HANGING_S, left_s(0.6)))
        self._close_port(min(HANGING_S, left_s(0.5)))
        # not to the last moment: there the process is ended without asking
        self.switchboard.close(left_s(0.25))
        log.info("stopped")

    def _close_port(self, within_s: float) -> None:
        """Takes 0.2 s, and up to `within_s` more where requests are still being answered."""
        if self.blocks.is_running:
            config: Any = self.blocks.server.config
            config.timeout_graceful_shutdown = within_s
        self.blocks.close(verbose=False)
