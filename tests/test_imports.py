"""Imports only go downwards, as the table of docs/architecture.md says."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "turbo_ui"

ALLOWED: dict[str, set[str]] = {
    "errors": set(),
    "remote_settings": set(),
    "bounds": set(),
    "settings": {"bounds", "errors", "remote_settings"},
    "checks": {"errors"},
    "frames": {"errors", "checks"},
    "imaging": {"errors", "frames"},
    "weights": {"errors"},
    "file_hash": set(),
    "sizes": set(),
    "catalog": {"errors", "sizes", "weights"},
    "own_models": {"errors", "weights", "catalog"},
    "backends": {
        "frames",
        "imaging",
        "catalog",
        "own_models",
        "weights",
        "remote_settings",
        "errors",
        "backends",
    },
    "live": {"frames", "catalog", "backends.base", "errors", "live"},
    "web": {"live", "frames", "imaging", "catalog", "settings", "errors", "web"},
}
"""What each module may import of this package; a folder's own modules included."""

HEAVY = {"torch", "diffusers", "transformers", "accelerate", "openvino", "torchao"}
WITHOUT_THIRD_PARTIES = {"errors"}
ONLY_NUMPY = {
    "checks",
    "frames",
    "weights",
    "file_hash",
    "sizes",
    "catalog",
    "own_models",
    "live",
}
MAX_LINES = 320

BESIDE = ("training", "benchmarks", "harness")
"""Folders beside the package that keep its house rules."""

MODULES = sorted(
    path for path in PACKAGE.rglob("*.py") if path.parent != PACKAGE or path.stem != "__init__"
)
OTHERS = sorted(path for folder in BESIDE for path in (ROOT / folder).rglob("*.py"))


def imported(path: Path) -> Iterator[str]:
    """Dotted names that a file imports, at its top or inside of functions."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}: relative import"
            module = node.module or ""
            yield module
            if module == "turbo_ui" or (PACKAGE.parent / Path(*module.split("."))).is_dir():
                yield from (f"{module}.{name.name}" for name in node.names)


def part_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_imports_go_downwards(path: Path) -> None:
    part = part_of(path)
    assert part in ALLOWED, f"{part} is not in the table"
    for name in imported(path):
        if name == "turbo_ui" or not name.startswith("turbo_ui."):
            continue
        inner = name.removeprefix("turbo_ui.")
        assert any(
            inner == allowed or inner.startswith(allowed + ".") for allowed in ALLOWED[part]
        ) or (inner == "backends" and part == "live"), f"{name_of(path)} imports {name}"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_only_backends_know_torch(path: Path) -> None:
    part = part_of(path)
    tops = {name.split(".")[0] for name in imported(path)}
    if part != "backends" or path.name in ("base.py", "__init__.py"):
        assert not tops & HEAVY
    foreign = {top for top in tops if top and top not in sys.stdlib_module_names} - {"turbo_ui"}
    if part in WITHOUT_THIRD_PARTIES:
        assert not foreign
    if part in ONLY_NUMPY:
        assert foreign <= {"numpy"}


def test_nothing_in_the_package_imports_what_stands_beside_it() -> None:
    for path in [*MODULES, PACKAGE / "__init__.py"]:
        tops = {name.split(".")[0] for name in imported(path)}
        assert not tops & {"training", "benchmarks", "harness", "tests", "app"}, name_of(path)


@pytest.mark.parametrize("path", OTHERS, ids=name_of)
def test_only_tests_import_tests(path: Path) -> None:
    assert "tests" not in {name.split(".")[0] for name in imported(path)}


@pytest.mark.parametrize("path", [*MODULES, *OTHERS], ids=name_of)
def test_modules_stay_small(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MAX_LINES


def test_no_module_is_a_drawer_for_everything() -> None:
    for path in [*MODULES, *OTHERS]:
        assert path.stem not in ("utils", "helpers", "manager", "misc", "common")


def in_a_fresh_python(code: str) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        env=environment,
    )
    return done.stdout.strip()


def test_importing_the_package_pulls_in_no_torch() -> None:
    code = (
        "import sys, turbo_ui, turbo_ui.live.engine, turbo_ui.imaging, turbo_ui.settings\n"
        "turbo_ui.FrameRequest, turbo_ui.Backend, turbo_ui.CATALOG, dir(turbo_ui)\n"
        f"print([name for name in {sorted(HEAVY)} if name in sys.modules])"
    )
    assert in_a_fresh_python(code) == "[]"


def test_torch_threads_wait_passively_unless_told_otherwise() -> None:
    code = "{}import os, turbo_ui.backends.loading; print(os.environ['OMP_WAIT_POLICY'])"
    own = "import os; os.environ['OMP_WAIT_POLICY'] = 'ACTIVE'; "
    assert in_a_fresh_python(code.format("")) == "PASSIVE"
    assert in_a_fresh_python(code.format(own)) == "ACTIVE"


def test_every_public_name_is_there() -> None:
    import turbo_ui

    for name in turbo_ui.__all__:
        assert getattr(turbo_ui, name) is not None
    assert not hasattr(turbo_ui, "nothing")


def test_the_table_is_the_documented_one() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    for part, allowed in ALLOWED.items():
        row = re.search(rf"^\| `turbo_ui/{part}[/.py]*` \|.*\| (.*) \|$", text, re.MULTILINE)
        assert row is not None, f"{part} has no row"
        documented = set(re.findall(r"`([a-z_.]+)`", row.group(1)))
        assert documented == allowed - {part}, part


@pytest.mark.parametrize("folder", ["backends", "live", "web", "web/static"])
def test_every_module_of_a_folder_has_its_line(folder: str) -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    section = re.search(rf"^### .*`turbo_ui/{folder}/`\n(.*?)(?=^### |\Z)", text, re.M | re.S)
    assert section is not None, f"{folder} has no section"
    cells = re.findall(r"^\| (`.*?) \|", section.group(1), re.M)
    documented = {name for cell in cells for name in re.findall(r"`([a-z0-9_.]+)`", cell)}
    if folder.endswith("static"):
        there = {path.name for path in (PACKAGE / folder).glob("*.js")}
    else:
        there = {path.stem for path in (PACKAGE / folder).glob("[!_]*.py")}
    assert documented == there
