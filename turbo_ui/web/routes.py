"""The plain HTTP routes beside Gradio's: the page's files, the examples, the embedded model's
licence and words, health."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from turbo_ui.catalog import ASSETS, DOODLE
from turbo_ui.web.board import STATIC, STATIC_URL
from turbo_ui.web.roster import Roster

log = logging.getLogger(__name__)

EXAMPLES = ASSETS / "examples"
OPENING = "house-and-sun"
EXAMPLES_URL = "/turbo-ui/examples"
NOTICE = Path(DOODLE.source) / "NOTICE.md"
WORDS = Path(DOODLE.source) / "words.json"


class PageFiles(StaticFiles):
    """The page's modules; browsers ask each time whether one is still the newest (a 304)."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(*args, **kwargs)
        response.headers["Cache-Control"] = "no-cache"
        return response


def build(roster: Roster, examples_folder: Path = EXAMPLES) -> list[BaseRoute]:
    """All of them, for `launch(app_kwargs={"routes": …})`."""
    examples = read_examples(examples_folder)

    async def list_examples(request: Request) -> Response:
        return JSONResponse(examples, headers={"Cache-Control": "no-cache"})

    async def notice(request: Request) -> Response:
        # as plain text: a browser would save Markdown and not show it
        return FileResponse(NOTICE, media_type="text/plain; charset=utf-8")

    async def words(request: Request) -> Response:
        return FileResponse(WORDS, headers={"Cache-Control": "no-cache"})

    async def healthz(request: Request) -> Response:
        is_ready = roster.is_ready()
        answer: dict[str, Any] = {"is_ready": is_ready, **roster.to_json(None)}
        if not is_ready:
            answer["waiting_for"] = roster.waiting_for()
        return JSONResponse(answer, status_code=200 if is_ready else 503)

    return [
        Route("/healthz", healthz),
        Route(EXAMPLES_URL, list_examples),
        Route(f"/{DOODLE.licence_url}", notice),
        Route(f"/{DOODLE.words_url}", words),
        Mount(f"/{STATIC_URL}", PageFiles(directory=STATIC)),
    ]


def read_examples(folder: Path) -> list[dict[str, Any]]:
    """The example drawings in a folder, by file name, but for the one that a new page opens with,
    which is the first; a damaged one is left out."""
    found: list[dict[str, Any]] = []
    for path in sorted(folder.glob("*.json"), key=lambda path: (path.stem != OPENING, path.name)):
        try:
            example = json.loads(path.read_text("utf-8"))
            _check(example)
        except (ValueError, KeyError, TypeError) as error:
            log.warning("the example %s is left out: %s", path.name, error)
        else:
            found.append(example)
    return found


def _check(example: Any) -> None:
    for name, kind in (("title", str), ("prompt", str), ("strokes", list)):
        if not isinstance(example[name], kind):
            raise TypeError(f"{name} is no {kind.__name__}")
    if not 0 < float(example.get("strength", 0.6)) <= 1:
        raise ValueError("strength is not in (0, 1]")
    for stroke in example["strokes"]:
        if not stroke["points"] or any(len(point) != 2 for point in stroke["points"]):
            raise ValueError("a stroke's points are not [x, y] pairs")
        if not float(stroke["width"]) > 0 or not str(stroke["color"]).startswith("#"):
            raise ValueError("a stroke has no width or colour")
