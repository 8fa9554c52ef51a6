"""The README is also the Space's card: what stands there must be true of this checkout."""

from __future__ import annotations

import re

import pytest
import yaml

from harness.app_process import ROOT
from turbo_ui.backends import remote
from turbo_ui.catalog import CATALOG, ModelSpec
from turbo_ui.remote_settings import RemoteSettings

README = (ROOT / "README.md").read_text("utf-8")
CARD = yaml.safe_load(README.split("---")[1])


def test_the_card_names_the_gradio_that_is_pinned() -> None:
    pins = (ROOT / "requirements.txt").read_text("utf-8")
    assert f"gradio=={CARD['sdk_version']}\n" in pins


def test_the_card_says_what_a_space_needs() -> None:
    assert CARD["sdk"] == "gradio"
    assert (ROOT / CARD["app_file"]).is_file()
    assert CARD["license"] == "apache-2.0"
    assert len(CARD["short_description"]) <= 60
    assert CARD["python_version"] == "3.11"
    assert CARD["models"]
    assert CARD["tags"]
    assert CARD["suggested_hardware"]


@pytest.mark.parametrize("spec", CATALOG, ids=lambda spec: spec.id)
def test_each_model_is_there_with_its_licence(spec: ModelSpec) -> None:
    (row,) = re.findall(rf"^\| `{re.escape(spec.id)}` \|.*$", README, re.MULTILINE)
    # the embedded model's is served by the app; here it is the file
    url = "assets/doodle/NOTICE.md" if spec.is_embedded else spec.licence_url
    assert f"| [{spec.licence}]({url}) |" in row
    assert spec.attribution in README
    if spec.is_gated:
        assert f"(https://huggingface.co/{spec.source})" in row
        assert "HF_TOKEN" in row


def test_the_remote_models_licence_is_its_providers() -> None:
    """Who that is, only the operator knows: the address of a server is nobody else's business."""
    settings = RemoteSettings(remote_base_url="https://images.example.org/v1")
    spec = remote.spec_of(settings)
    assert spec.licence == "as its provider says"
    assert "example.org" not in f"{spec.licence_url} {spec.how_to_get} {spec.title}"
    (row,) = re.findall(r"^\| `remote` \|.*$", README, re.MULTILINE)
    assert f"| {spec.licence} |" in row


def test_links_lead_somewhere() -> None:
    links = re.findall(r"\]\((?!http)([^)#]+)\)", README) + re.findall(r'src="([^"]+)"', README)
    missing = [link for link in links if not (ROOT / link).exists()]
    assert missing == []
