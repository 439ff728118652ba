"""Graphs that share a lane, and the copy to the host: on a GPU against plain calls."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="no GPU stack: torch is not installed")

from vcam.gpu.cuda_graph import cuda_graph  # noqa: E402 - after the skip
from vcam.gpu.host_copy import HostCopy  # noqa: E402

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")


def test_pictures_on_the_host_are_passed_on():
    pixels = np.zeros((4, 4, 3), np.uint8)
    assert HostCopy()(pixels) is pixels
    np.testing.assert_array_equal(HostCopy()(torch.ones(2, 2, 3).byte()), np.ones((2, 2, 3)))


def test_a_function_that_is_not_graphed_stays_itself():
    assert cuda_graph(len, enabled=False) is len


@pytest.mark.gpu
@needs_gpu
def test_a_copy_is_of_the_finished_picture_and_lasts():
    copy, big = HostCopy(), torch.randn(4096, 4096, device="cuda")
    kept = []
    for value in range(5):
        slow = (big @ big).sum() * 0  # what the copy must wait for
        kept.append(copy((slow + torch.full((8, 8, 3), value, device="cuda")).byte()))
    assert [int(pixels.max()) for pixels in kept] == [0, 1, 2, 3, 4]
    assert copy(torch.zeros(2, 6, 3, device="cuda").byte()).shape == (2, 6, 3)


@pytest.mark.gpu
@needs_gpu
def test_graphs_of_one_stream_do_not_disturb_each_other():
    weight = torch.randn(512, 512, device="cuda") / 512**0.5

    def deep(x):
        for _ in range(8):
            x = torch.relu(x @ weight)
        return x

    def wide(x):
        return (torch.cat([x] * 64) @ weight).view(64, *x.shape).sum(0)

    first, second = cuda_graph(deep), cuda_graph(wide)
    inputs = torch.randn(6, 256, 512, device="cuda")
    expected = [(deep(x), wide(x)) for x in inputs]
    first(inputs[0])
    second(inputs[0])
    third = cuda_graph(wide)
    third(inputs[0])
    for x, (one, other) in zip(inputs, expected, strict=True):
        kept = first(x)  # not copied before the others run: outputs stay apart
        torch.testing.assert_close(second(x), other, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(third(x), other, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(kept, one, rtol=1e-4, atol=1e-4)
