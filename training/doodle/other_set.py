"""Another artist's emoji, for sketches that owe nothing to the pictures doodle was trained on.

Google's Noto emoji (Apache-2.0) as 64 x 64 px PNGs from the npm package `emoji-datasource-google`.
`python -m training.doodle.other_set` fetches them into `.cache/doodle-data/`; nothing is committed.
"""

from __future__ import annotations

import shutil
import subprocess
import tarfile
from dataclasses import replace
from pathlib import Path

import cv2

from training.doodle.data import DATA_DIR, OBJECT_PX, Concept

PACKAGE = "emoji-datasource-google@16.0.0"
FOLDER = "noto-emoji"
PICTURES = "package/img/google/64/"


def fetch(root: Path = DATA_DIR) -> None:
    """Fetch the package with `npm pack` and keep its small pictures and licence notices."""
    target = root / FOLDER
    if target.exists():
        return
    if shutil.which("npm") is None:
        raise SystemExit(f"npm is needed to fetch {PACKAGE}; install Node.js and run this again")
    root.mkdir(parents=True, exist_ok=True)
    command = ["npm", "pack", "--silent", PACKAGE]
    printed = subprocess.run(command, cwd=root, check=True, capture_output=True, text=True)
    archive = root / printed.stdout.split()[-1]
    unpack(archive, target)
    archive.unlink()
    print(f"fetched {PACKAGE} into {target}")


def unpack(archive: Path, target: Path) -> None:
    """Take the 64 px pictures and the notices out of a package archive, all or nothing."""
    part = target.with_name(f"{target.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    notices = ("package/LICENSE", "package/README.md", "package/package.json")
    with tarfile.open(archive) as tar:
        for member in tar:
            if member.isfile() and (member.name.startswith(PICTURES) or member.name in notices):
                source = tar.extractfile(member)
                assert source is not None
                (part / Path(member.name).name).write_bytes(source.read())
    part.rename(target)


def redrawn(concepts: list[Concept], root: Path = DATA_DIR) -> list[Concept]:
    """The same concepts with the other artist's pictures; those that the set lacks are left out.

    Args:
        concepts: trained concepts.
        root: the data folder.

    Returns:
        Concepts whose `image` is a (256, 256, 4) uint8 RGBA enlargement of the 64 px picture.
    """
    folder = root / FOLDER
    if not folder.exists():
        raise SystemExit(f"{folder} is missing; run `make doodle-data` first")
    found = []
    for concept in concepts:
        code = concept.hexcode.lower()
        names = (code, f"{code}-fe0f", code.replace("-fe0f", ""))
        path = next((p for p in (folder / f"{name}.png" for name in names) if p.exists()), None)
        if path is None:
            continue
        picture = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        if picture is None:
            raise SystemExit(f"{path} is not a picture; remove it and run `make doodle-data` again")
        small = cv2.cvtColor(picture, cv2.COLOR_BGRA2RGBA)
        large = cv2.resize(small, (OBJECT_PX, OBJECT_PX), interpolation=cv2.INTER_CUBIC)
        found.append(replace(concept, image=large, drawn_by=(), _recoloured={}))
    return found


if __name__ == "__main__":
    fetch()
