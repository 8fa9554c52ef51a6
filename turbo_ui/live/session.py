"""Browser tabs as the engine knows them: mailbox, way back, counts; none of it is shared."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from turbo_ui.backends.base import GiveBack
from turbo_ui.errors import SessionClosed
from turbo_ui.live.budget import Address, Budget
from turbo_ui.live.events import Event, SessionsChanged
from turbo_ui.live.mailbox import Mailbox
from turbo_ui.live.metrics import Metrics, Tally

log = logging.getLogger(__name__)

Publish = Callable[[Event], None]
Listener = Callable[[str, Event], None]
"""Told every event of every session, with the session's id; must not block."""


class Session:
    """What belongs to one tab and to nobody else.

    Attributes:
        id: the tab's own; a tab that comes back under the same id is a new `Session`.
        account: whom its remote pictures are counted for.
        address: where else they are counted, None for nowhere.
        mailbox: what waits; only touched under the engine's lock.
        metrics: what happened; only touched under the engine's lock.
        last_model_id: the model that made its last picture; serves on while another is loading.
        was_last_stopped: its last live frame was stopped between two steps, so the next may not be.
        is_open: False once closed; what still runs for it is dropped.
    """

    def __init__(
        self,
        session_id: str,
        publish: Publish,
        account: str | None = None,
        address: Address | None = None,
    ) -> None:
        self.id = session_id
        # a page chooses its id: it must not pass for another account
        self.account = f"session {session_id}" if account is None else account
        self.address = address
        self._publish = publish
        self.mailbox = Mailbox()
        self.metrics = Metrics()
        self.last_model_id: str | None = None
        self.was_last_stopped = False
        self.is_open = True

    def spend(self, budget: Budget) -> GiveBack:
        """Counts one remote picture of this tab; see `Budget.spend`."""
        return budget.spend(self.account, self.address)

    def publish(self, event: Event) -> None:
        """Tells the tab, unless it is gone. A receiver that fails harms only itself."""
        if not self.is_open:
            return
        try:
            self._publish(event)
        except Exception:
            log.exception("session %s: could not publish %s", self.id, type(event).__name__)


class Sessions:
    """All open sessions, by id.

    Args:
        lock: the engine's, which guards mailboxes and counts too. No event is told while it is
            held.
        listener: told what the sessions are told.

    Attributes:
        tally: counts what they are told.
    """

    def __init__(self, lock: threading.RLock, listener: Listener | None) -> None:
        self._lock = lock
        self._listener = listener
        self.tally = Tally()
        self._open: dict[str, Session] = {}

    def __len__(self) -> int:
        return len(self._open)

    def all(self) -> list[Session]:
        with self._lock:
            return list(self._open.values())

    def get(self, session_id: str) -> Session:
        """The open session with this id.

        Raises:
            SessionClosed: there is none.
        """
        with self._lock:
            session = self._open.get(session_id)
            if session is None:
                raise SessionClosed(session_id)
            return session

    def open(self, session: Session) -> Session:
        """Takes in a new session; one that is open under its id is closed first."""
        with self._lock:
            former = self._open.pop(session.id, None)
            if former is not None:
                former.is_open = False
            self._open[session.id] = session
        self._tell_number()
        return session

    def close(self, session_id: str) -> None:
        """Forgets a session and all that waits in it; unknown ids pass."""
        with self._lock:
            session = self._open.pop(session_id, None)
            if session is None:
                return
            session.is_open = False
        self._tell_number()

    def tell(self, session: Session, event: Event) -> None:
        """Tells one session and the listener, unless the session is gone."""
        self.tally.hear(event)
        if self._listener is not None and session.is_open:
            try:
                self._listener(session.id, event)
            except Exception:
                log.exception("the listener failed on %s", type(event).__name__)
        session.publish(event)

    def tell_all(self, event: Event) -> None:
        for session in self.all():
            self.tell(session, event)

    def _tell_number(self) -> None:
        with self._lock:
            num_sessions = len(self._open)
        self.tell_all(SessionsChanged(num_sessions=num_sessions))
