"""The example of a pipeline, made and loaded as its first lines say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import modelport
from modelport.repository.integrity import digest

MAKE = Path(__file__).parents[2] / "examples" / "pipeline" / "make.py"


def test_a_message_has_a_mood_and_a_topic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("onnx")
    monkeypatch.setenv("MODELPORT_STATE_DIR", str(tmp_path / "state"))
    folder = tmp_path / "messages"
    subprocess.run([sys.executable, str(MAKE), str(folder)], check=True, timeout=60)
    with modelport.load(folder, trust=f"sha256:{digest(folder)}") as model:
        assert model.predict({"text": "The parcel is late and broken."}) == {
            "mood": "bad",
            "topic": "delivery",
        }
        many = model.predict({"text": ["Thanks, the invoice is paid.", "Great courier, thanks!"]})
        assert many == {"mood": ["good", "good"], "topic": ["payment", "delivery"]}
