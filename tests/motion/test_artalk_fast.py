"""The fast form against the plain one."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tests.motion.tiny_artalk import tiny_net  # noqa: E402 - after the skip
from vcam.gpu.cuda_graph import cuda_graph  # noqa: E402
from vcam.motion.artalk.fast import FastDecoder  # noqa: E402
from vcam.motion.artalk.pieces import can_compile  # noqa: E402
from vcam.nets.artalk import SAMPLES, normalise  # noqa: E402
from vcam.nets.artalk_proxy import proxy_net  # noqa: E402

CPU = torch.device("cpu")


def inputs(net, voices=2, seed=0):
    draw = torch.Generator().manual_seed(seed)
    audio = torch.randn(voices, SAMPLES, generator=draw) * 0.1
    past = torch.randn(voices, 100, 106, generator=draw) * 0.5
    style = net.style(torch.randn(1, 50, 106, generator=draw))
    return audio, past, style, torch.full((voices, 1), 0.12)


@pytest.mark.parametrize("soft", [0, 1, 3, 5])
def test_fast_is_plain(soft):
    net = tiny_net()
    fast = FastDecoder(net, CPU, torch.float32, compiled=False, soft=soft)
    given = inputs(net)
    with torch.inference_mode():
        torch.testing.assert_close(fast.decode(*given), net.decode(*given, soft), atol=2e-5, rtol=0)


def test_soft_levels_differ_from_hard_ones():
    net = tiny_net()
    given = inputs(net)
    hard, soft = net.decode(*given, 0), net.decode(*given, 1)
    assert (hard - soft).abs().max() > 1e-3


def test_the_speech_encoders_parts_are_plain():
    net = tiny_net()
    fast = FastDecoder(net, CPU, torch.float32, compiled=False)
    audio = normalise(inputs(net)[0])
    features = fast.speech.convolve(audio)
    expected = net.audio_encoder.feature_extractor(audio).transpose(1, 2)
    torch.testing.assert_close(features, expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(
        fast.speech.encode(features), net.audio_encoder(audio), atol=1e-5, rtol=0
    )


def test_sliding_on_cached_features_is_the_whole_window():
    """With one divisor for both windows, the features kept are the features computed anew."""
    net = tiny_net()
    fast = FastDecoder(net, CPU, torch.float32, compiled=False)
    sound = inputs(net, 1)[0]
    later = torch.cat([sound[:, 640:], 0.1 * torch.randn(1, 640)], dim=1)
    _, past, style, _ = inputs(net, 1)
    kept = fast.speech.convolve(sound)
    motion, features = fast.decode_next(later[:, 63_040:63_760], kept, past, style)
    whole = fast.speech.convolve(later)
    torch.testing.assert_close(features, whole, atol=1e-6, rtol=0)
    torch.testing.assert_close(motion, fast.decode_features(whole, past, style), atol=2e-5, rtol=0)


def test_another_encoder_runs_as_it_is():
    net = proxy_net().eval().requires_grad_(False)
    for value in net.parameters():
        value.copy_(torch.randn(value.shape, generator=torch.Generator().manual_seed(3)) * 0.05)
    fast = FastDecoder(net, CPU, torch.float32, compiled=False, soft=1)
    given = inputs(net, 1)
    with torch.inference_mode():
        torch.testing.assert_close(fast.decode(*given), net.decode(*given, 1), atol=1e-4, rtol=0)


def test_a_floor_keeps_noise_from_becoming_speech():
    noise = torch.from_numpy(np.random.default_rng(0).normal(0, 1e-3, (1, 1000))).float()
    assert normalise(noise).std() == pytest.approx(1, rel=2e-3)
    assert normalise(noise, torch.tensor([[0.1]])).std() == pytest.approx(0.01, rel=0.05)


def test_graphed_without_a_gpu_is_the_function_itself():
    assert cuda_graph(len, enabled=False) is len


def test_compiling_needs_a_compiler(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.delenv("CC", raising=False)
    assert not can_compile()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no NVIDIA GPU here")
@pytest.mark.parametrize("compiled", [False, True])
def test_a_graph_gives_the_eager_numbers(compiled):
    net = tiny_net()
    fast = FastDecoder(net, torch.device("cuda"), torch.float32, compiled)
    run = cuda_graph(fast.decode)
    with torch.inference_mode():
        for seed in range(3):
            given = [each.cuda() for each in inputs(net, 1, seed)]
            expected = fast.decode(*given)
            torch.testing.assert_close(run(*given), expected, atol=1e-5, rtol=0)
