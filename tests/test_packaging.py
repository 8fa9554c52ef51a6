"""What is installed is what is declared: pins within their ranges, and no import beyond them."""

from __future__ import annotations

import os
import sys
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.test_imports import MODULES, ROOT, imported, name_of

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]
FILES = ("requirements.txt", "requirements-dev.txt", "requirements-train.txt")
DISTRIBUTIONS = {"PIL": "pillow", "cv2": "opencv-python-headless"}
"""Where the imported name is not the distribution's."""
COME_ALONG = {
    "httpx2": "openai",
    "huggingface-hub": "transformers",
    "pydantic": "pydantic-settings",
    "starlette": "gradio",
}
"""What is used by its own name and is a part of the interface of a declared package."""


def pins(*files: str) -> dict[str, str]:
    """Distribution → version, of all lines."""
    found: dict[str, str] = {}
    for file in files:
        for line in (ROOT / file).read_text("utf-8").splitlines():
            text = line.partition("#")[0].strip()
            if text:
                requirement = Requirement(text)
                [exact] = list(requirement.specifier)
                assert exact.operator == "==", f"{file}: {text} is no exact pin"
                found[canonicalize_name(requirement.name)] = exact.version
    return found


@pytest.mark.parametrize("file", FILES)
def test_each_line_is_an_exact_pin(file: str) -> None:
    assert pins(file)


def test_the_pinned_torch_is_the_tested_one() -> None:
    assert pins("requirements.txt")["torch"] == "2.13.0"


@pytest.mark.parametrize(
    ("declared", "files"),
    [
        (PROJECT["dependencies"], ("requirements.txt",)),
        (EXTRAS["test"], ("requirements.txt", "requirements-dev.txt")),
        (EXTRAS["bench"], ("requirements.txt", "requirements-dev.txt")),
        (EXTRAS["train"], ("requirements.txt", "requirements-train.txt")),
    ],
    ids=["run", "test", "bench", "train"],
)
def test_what_is_declared_is_pinned_within_its_range(
    declared: list[str], files: tuple[str, ...]
) -> None:
    pinned = pins(*files)
    for text in declared:
        requirement = Requirement(text)
        name = canonicalize_name(requirement.name)
        assert name in pinned, f"{name} is pinned nowhere in {files}"
        assert pinned[name] in requirement.specifier, f"{text}, but {pinned[name]} is pinned"


def test_the_same_package_has_the_same_pin_everywhere() -> None:
    for file in FILES[1:]:
        for name, version in pins(file).items():
            assert pins(*(other for other in FILES if other != file)).get(name, version) == version


def test_the_package_imports_nothing_that_is_not_declared() -> None:
    optional = EXTRAS["torchao"]
    known = {
        canonicalize_name(Requirement(text).name) for text in [*PROJECT["dependencies"], *optional]
    }
    assert set(COME_ALONG.values()) <= known
    for path in [*MODULES, ROOT / "app.py"]:
        tops = {name.split(".")[0] for name in imported(path)} - {"", "turbo_ui"}
        for top in tops - sys.stdlib_module_names:
            name = canonicalize_name(DISTRIBUTIONS.get(top, top))
            assert name in known or name in COME_ALONG, f"{name_of(path)} imports {top}"


def test_everything_beside_the_code_is_packed() -> None:
    package = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]
    globs: list[str] = package["package-data"]["turbo_ui"]
    home = ROOT / "turbo_ui"
    packed = {path for glob in globs for path in home.glob(glob) if path.is_file()}
    beside = {
        path
        for path in home.rglob("*")
        if path.is_file() and path.suffix not in (".py", ".pyc", ".pyi")
    }
    assert {name_of(path) for path in beside - packed} == set()


def test_the_checks_of_every_change_can_be_started() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    text = script.read_text("utf-8")
    assert text.startswith("#!/usr/bin/env bash\n")
    assert text.index("make check") < text.index("make test")
