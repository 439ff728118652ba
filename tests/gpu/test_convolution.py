"""Convolutions in one launch each: the plain form's numbers, by kernel and as an operator."""

import json
import os
import subprocess
import sys

import pytest

torch = pytest.importorskip("torch")

from tests.gpu.interpreted_convolution import CASES, given  # noqa: E402 - after the skip
from vcam.gpu.convolution import convolve, cut_for, plain  # noqa: E402

GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="no NVIDIA GPU here")


@pytest.mark.slow
def test_the_kernel_is_the_plain_form():
    pytest.importorskip("triton", reason="no GPU stack: without CUDA there is no Triton")
    ran = subprocess.run(
        [sys.executable, "-m", "tests.gpu.interpreted_convolution"],
        env=os.environ | {"TRITON_INTERPRET": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout)
    assert found.keys() == CASES.keys()
    assert max(found.values()) < 1e-4, found


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_the_operator_is_what_is_said_of_it(case):
    x, weight, bias, noise, strength, times, plus = given(case)
    stride, twice = case[-2:]
    after = bias, 0.2, noise, strength, times, plus
    got = convolve(x, weight, *after, stride=stride, twice=twice)
    assert got.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(got, plain(x, weight, *after, stride=stride, twice=twice))


def test_a_tracer_learns_the_shape_without_the_values():
    from torch._subclasses import FakeTensorMode

    with FakeTensorMode():
        x, weight = torch.empty(2, 3, 8, 12), torch.empty(64, 3, 3, 3)
        assert convolve(x, weight, stride=2).shape == (2, 64, 4, 6)
        larger = convolve(x, weight, twice=True)
    assert larger.shape == (2, 64, 16, 24)
    assert larger.is_contiguous(memory_format=torch.channels_last)


def test_few_processors_get_large_tiles_and_many_get_enough():
    for before, after, side in ((64, 64, 256), (16, 32, 512), (64, 64, 32), (3, 64, 256)):
        few, many = (cut_for(side * side, side, before, after, count) for count in (16, 132))
        assert few.high * few.wide >= many.high * many.wide
        tiles = side * side // (many.high * many.wide) * -(-after // many.channels)
        assert tiles >= 64


@pytest.mark.gpu
@GPU
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_the_kernel_on_the_gpu_is_the_plain_form_and_says_the_same_twice(case):
    x, weight, bias, noise, strength, times, plus = (each.cuda().half() for each in given(case))
    stride, twice = case[-2:]
    after = bias, 0.2, noise, strength, times, plus
    got = convolve(x, weight, *after, stride=stride, twice=twice)
    assert torch.equal(got, convolve(x, weight, *after, stride=stride, twice=twice))
    exact = [each.float() if isinstance(each, torch.Tensor) else each for each in after]
    expected = plain(x.float(), weight.float(), *exact, stride=stride, twice=twice)
    torch.testing.assert_close(got.float(), expected, atol=2e-2, rtol=2e-3)
