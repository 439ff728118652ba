"""The stored reference tensors of ARTalk, small size and full-size parts, on the CPU."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.parity.report import Report

torch = pytest.importorskip("torch")

from tests.parity import artalk, fill  # noqa: E402 - after the skip
from vcam.nets.artalk import ArtalkNet, SpeechConfig, SpeechEncoder  # noqa: E402

DATA = Path(__file__).parent.parent / "data" / "parity"


def test_every_stored_tensor_is_met():
    rows = []
    report = Report(rows.append)
    artalk.check(DATA, report)
    assert report.rows > 60
    assert report.failures == 0, "\n".join(row for row in rows if row.endswith("FAILED"))


def test_the_full_network_has_the_checkpoints_entries():
    manifest = fill.load_manifest(DATA / "artalk.manifest.json")
    with torch.device("meta"):
        net = ArtalkNet(artalk.config_of(manifest))
    ours = {name: list(value.shape) for name, value in net.state_dict().items()}
    assert ours == {name: entry["shape"] for name, entry in manifest["tensors"].items()}


def test_a_deviation_is_noticed(monkeypatch):
    """The check must be able to fail: the biased deviation moves features by 2.5e-5 and no bit."""
    monkeypatch.setattr(
        artalk,
        "normalise",
        lambda x: (x - x.mean(-1, keepdim=True)) / (x.std(-1, keepdim=True, correction=0) + 1e-6),
    )
    path = DATA / "artalk_small.safetensors"
    rows = []
    report = Report(rows.append)
    with torch.inference_mode():
        artalk._check_file(path, report, torch.device("cpu"))
    failed = [row for row in rows if row.endswith("FAILED")]
    assert any("audio_features" in row for row in failed), rows


@pytest.mark.parametrize("kernel", [8, 7])
def test_the_speech_encoder_is_transformers_wav2vec2(kernel):
    """The same weights under the same names give the same features, also for odd kernels."""
    transformers = pytest.importorskip("transformers")
    sizes = SpeechConfig(
        channels=16, width=48, layers=2, heads=4, hidden=64, position_kernel=kernel,
        position_groups=4,
    )  # fmt: skip
    theirs = transformers.Wav2Vec2Model(
        transformers.Wav2Vec2Config(
            hidden_size=48, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64,
            conv_dim=[16] * 7, conv_bias=True, feat_extract_norm="layer",
            do_stable_layer_norm=True, num_conv_pos_embeddings=kernel,
            num_conv_pos_embedding_groups=4,
        )
    ).eval()  # fmt: skip
    ours = SpeechEncoder(sizes).eval()
    ours.load_state_dict(theirs.state_dict())
    audio = torch.randn(2, 8000, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        expected = theirs(audio).last_hidden_state
        torch.testing.assert_close(ours(audio), expected, atol=2e-5, rtol=0)
