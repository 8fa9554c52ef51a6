"""What has to go so that one more model fits: a pure choice.

Nothing here closes a model. Sizes are what the catalog says, scaled to the device's number type;
but how small a model can be made, whoever loads it knows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from turbo_ui.catalog import ModelSpec
from turbo_ui.errors import ModelUnavailable

GB = 1_000_000_000


def may_go(loaded: Sequence[ModelSpec]) -> list[ModelSpec]:
    """Which of these models may be evicted, in their order.

    The embedded model is small and stays; one that runs elsewhere takes nothing; and the last of
    the list, the most recently used, stays where it would be the only one that works.
    """
    going = [spec for spec in loaded if not spec.is_embedded and spec.memory_bytes > 0]
    return going[:-1] if len(going) == len(loaded) else going


@dataclass(frozen=True)
class Room:
    """How much memory all models together may take.

    Attributes:
        max_bytes: of the device; on a CPU, of main memory.
        scale: what to multiply the catalog's sizes with: they are for numbers of two bytes.
    """

    max_bytes: int
    scale: float = 1.0

    def need(self, spec: ModelSpec) -> int:
        """What a model takes with all of its parts on the device, in bytes."""
        return int(spec.memory_bytes * self.scale)

    def to_evict(
        self,
        wanted: ModelSpec,
        loaded: Sequence[ModelSpec],
        needs_bytes: Sequence[int] | None = None,
    ) -> list[ModelSpec]:
        """Which models have to go before `wanted` is read; empty where all fit.

        A model that can be made smaller leaves the others their place, as long as it draws as well.
        Where it cannot even with all of them gone, it gets what the best of its lesser plans takes
        that can be had, and no more: nothing goes in vain. One that takes nothing, as it runs
        elsewhere, drives none out.

        Args:
            loaded: what is on the device, the least recently used first.
            needs_bytes: what `wanted` can be loaded with on this device, as `LoadReport` tells it;
                None is `need`.

        Raises:
            ModelUnavailable: it does not fit even then; says how much it wants and what there is.
        """
        if self.need(wanted) == 0:
            return []
        needs = [self.need(wanted)] if needs_bytes is None else needs_bytes
        going = may_go(loaded)
        free = self.max_bytes - sum(self.need(spec) for spec in loaded)
        at_best = free + sum(self.need(spec) for spec in going)
        aim = next((need for need in needs if need <= at_best), None)
        if aim is None:
            staying = [spec for spec in loaded if spec not in going]
            raise self._does_not_fit(wanted, needs[-1], staying, at_best)
        gone: list[ModelSpec] = []
        for spec in going:
            if free >= aim:
                break
            free += self.need(spec)
            gone.append(spec)
        return gone

    def _does_not_fit(
        self, wanted: ModelSpec, least: int, staying: Sequence[ModelSpec], free: int
    ) -> ModelUnavailable:
        titles = [spec.title for spec in staying if self.need(spec) > 0]
        beside = f" beside {' and '.join(titles)}" if titles else ""
        reason = (
            f"it needs {least / GB:.1f} GB of memory and there are "
            f"{max(free, 0) / GB:.1f} GB for it{beside}"
        )
        remedy = "Choose a smaller model, or raise max_device_memory_bytes."
        return ModelUnavailable(wanted.id, reason, remedy)
