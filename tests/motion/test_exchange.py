"""One copy there, one back: the same numbers as the decoding itself."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tests.motion.tiny_artalk import tiny_net  # noqa: E402 - after the skip
from vcam.motion.artalk.exchange import Exchange  # noqa: E402
from vcam.motion.artalk.fast import FastDecoder  # noqa: E402
from vcam.motion.artalk.modes import Talk, Window, live_decoder  # noqa: E402
from vcam.motion.artalk.sliding import TalkSettings  # noqa: E402
from vcam.nets.artalk import SAMPLES  # noqa: E402

CPU = torch.device("cpu")
GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="no NVIDIA GPU here")


def hop(seed):
    draw = np.random.default_rng(seed)
    window = draw.normal(0, 0.1, SAMPLES).astype(np.float32)
    return window, draw.normal(0, 0.5, (1, 100, 106)).astype(np.float32), 0.05 + 0.01 * seed


def expected(fast, style, window, past, floor):
    audio, floor = torch.from_numpy(window)[None], torch.tensor([[floor]], dtype=torch.float32)
    given = [each.to(fast.device) for each in (audio, torch.from_numpy(past), style, floor)]
    return fast.decode(*given).cpu().numpy()


@torch.inference_mode()
def agrees(device, graph, hops):
    net = tiny_net()
    fast = FastDecoder(net, device, torch.float32, compiled=False)
    style = net.style(None).to(device)
    exchange = Exchange(fast.decode, style, device, graph)
    for seed in range(hops):
        given = hop(seed)
        np.testing.assert_allclose(
            exchange(*given), expected(fast, style, *given), atol=1e-5, rtol=0
        )


def test_an_exchange_is_the_decoding():
    agrees(CPU, graph=True, hops=3)


def test_the_host_listens_for_a_voice_while_the_device_decodes():
    talk = Talk(live_decoder(tiny_net(), 1, CPU), tiny_net().style(None), TalkSettings())
    order, vad, begin = [], talk._vad.step, talk._exchange.begin

    def heard(block):
        order.append("voice")
        return vad(block)

    def begun(*given):
        order.append("begun")
        coming = begin(*given)
        return lambda: order.append("come") or coming()

    talk._vad.step, talk._exchange.begin = heard, begun
    assert len(talk.step(np.zeros(640 * 5, np.float32))) == 3
    assert order == ["voice"] * 2 + ["begun", "voice", "come"] * 3


def test_a_window_is_the_last_four_seconds_however_long_it_goes_on():
    window, sound = Window(), np.arange(640 * 320, dtype=np.float32)
    assert not window.samples.any()
    for index in range(320):
        window.take(sound[640 * index : 640 * (index + 1)])
        end = 640 * (index + 1)
        np.testing.assert_array_equal(
            window.samples[-min(end, SAMPLES) :], sound[max(0, end - SAMPLES) : end]
        )
    assert len(window.samples) == SAMPLES


@pytest.mark.gpu
@GPU
@pytest.mark.parametrize("graph", [True, False])
def test_an_exchange_on_the_device_is_the_decoding(graph):
    """Many hops on end: a copy that came too late or too early would show old numbers."""
    agrees(torch.device("cuda"), graph, hops=40)


@pytest.mark.gpu
@GPU
def test_talk_as_one_graph_is_talk_kernel_by_kernel():
    """The stage's whole stream in half precision, compiled where there is a compiler."""
    net, device = tiny_net(), torch.device("cuda")
    fast = live_decoder(net, 1, device)
    sound = np.random.default_rng(1).normal(0, 0.1, 640 * 60).astype(np.float32)
    shown = []
    for graph in (True, False):
        talk = Talk(fast, net.style(None), TalkSettings(), graph)
        shown.append(np.array([frame.motion for frame in talk.step(sound)]))
    assert shown[0].shape == (58, 106)
    np.testing.assert_allclose(*shown, atol=1e-5, rtol=0)
