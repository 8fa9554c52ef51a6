"""A session's mailbox: one slot for what follows the hand, one for a refine. The newest wins.

Holds no lock and reads no clock: the engine does both.
"""

from __future__ import annotations

from turbo_ui.live.events import Submission


class Mailbox:
    """At most one live submission and one refine wait; a newer one takes the older one's place.

    A live submission also throws out a waiting refine, which would show the board as it was. A
    refine never throws out a live submission: it waits behind it.

    Attributes:
        num_superseded: how many submissions were replaced or thrown out.
        waiting_since: when the live slot was last filled from empty, in seconds. A replacement does
            not change it, so that a busy hand does not lose its turn.
        last_put_at: when the live slot was last filled at all: the hand's last sign of life.
        num_put: how many submissions came in. Who took one out can tell by it whether that one is
            still the newest.
    """

    def __init__(self) -> None:
        self._live: Submission | None = None
        self._refine: Submission | None = None
        self.num_superseded = 0
        self.waiting_since = 0.0
        self.refine_since = 0.0
        self.last_put_at = 0.0
        self.num_put = 0

    @property
    def live(self) -> Submission | None:
        """The waiting live submission, left where it is."""
        return self._live

    @property
    def refine(self) -> Submission | None:
        """The waiting refine, left where it is."""
        return self._refine

    @property
    def model_ids(self) -> list[str]:
        """The models that the waiting submissions name."""
        waiting = (self._live, self._refine)
        return [each.request.model for each in waiting if each is not None]

    def put(self, submission: Submission, now: float) -> list[Submission]:
        """Takes a submission in and returns those that lost their place."""
        replaced = [self._refine] if self._refine is not None else []
        self._refine = None
        self.num_put += 1
        if submission.kind == "refine":
            self._refine = submission
            self.refine_since = now
        else:
            if self._live is not None:
                replaced.append(self._live)
            else:
                self.waiting_since = now
            self._live = submission
            self.last_put_at = now
        self.num_superseded += len(replaced)
        return replaced

    def put_back(self, refine: Submission) -> bool:
        """A refine that had to yield waits again, in its old place; False where one is there."""
        if self._live is not None or self._refine is not None:
            return False
        self._refine = refine
        return True

    def take_live(self) -> Submission:
        """Empties the live slot, which must be full."""
        taken = self._live
        assert taken is not None, "the live slot is empty"
        self._live = None
        return taken

    def take_refine(self) -> Submission:
        """Empties the refine slot, which must be full."""
        taken = self._refine
        assert taken is not None, "the refine slot is empty"
        self._refine = None
        return taken
