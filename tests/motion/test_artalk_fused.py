"""The fused form against the plain one, and how its products are cut."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from tests.motion.test_artalk_fast import inputs  # noqa: E402 - after the skip
from tests.motion.tiny_artalk import CONFIG, FITTING, tiny_net  # noqa: E402
from vcam.gpu.cuda_graph import cuda_graph  # noqa: E402
from vcam.motion.artalk.fast import FastDecoder  # noqa: E402
from vcam.motion.artalk.fused import fits_fused  # noqa: E402
from vcam.motion.artalk.modes import live_decoder  # noqa: E402
from vcam.motion.artalk.stack import halves, whole  # noqa: E402
from vcam.motion.artalk.tiles import tile_of  # noqa: E402
from vcam.nets.artalk import ArtalkConfig  # noqa: E402

SIZES = [(199, 1024, 4096), (100, 768, 3072), (1, 768, 3072), (100, 512, 768)]


def interpreted(what):
    """The largest differences to the plain form, of the kernels in Triton's interpreter."""
    pytest.importorskip("triton")
    done = subprocess.run(
        [sys.executable, "-m", "tests.motion.interpreted_artalk", what],
        env=os.environ | {"TRITON_INTERPRET": "1"},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.slow
def test_a_stack_in_one_launch_is_plain():
    found = interpreted("stacks")
    assert len(found) == 8
    for name, difference in found.items():
        assert difference < (1e-2 if name.endswith("float16") else 2e-5), found


@pytest.mark.slow  # a hundred thousand statements of the interpreter's: 10 s
def test_the_fused_decoder_is_plain():
    found = interpreted("decoder")
    assert len(found) == 5
    assert max(found.values()) < 5e-5, found  # another processor sums in another order


def test_two_halves_are_float32():
    x = torch.randn(10_000, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(whole(halves(x)), x, rtol=2**-22, atol=1e-9)


@pytest.mark.parametrize("processors", [16, 32, 132])
@pytest.mark.parametrize("double", [False, True])
@pytest.mark.parametrize(("rows", "width", "hidden"), SIZES)
def test_tiles_cover_the_product(rows, width, hidden, processors, double):
    for depth, columns, parts in ((width, hidden, 1), (hidden, width, 8)):
        tile = tile_of(rows, depth, columns, processors, double, parts)
        assert columns % tile.columns == 0
        assert tile.split <= parts
        assert depth % tile.split == 0
        assert tile.rows < 2 * max(16, rows)


def test_few_processors_take_larger_tiles():
    few, many = (tile_of(199, 1024, 4096, processors, False) for processors in (16, 132))
    assert few.rows * few.columns > many.rows * many.columns


def test_what_cannot_be_cut_is_not_fused():
    assert fits_fused(ArtalkConfig())
    assert fits_fused(ArtalkConfig.small())
    assert fits_fused(FITTING)
    assert not fits_fused(CONFIG)  # heads of 8


def test_without_cuda_nothing_is_fused():
    decoder = live_decoder(tiny_net(config=FITTING), 1, torch.device("cpu"))
    assert type(decoder.codec).__name__ == "FastCodec"


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no NVIDIA GPU here")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_fused_on_the_gpu_is_plain_and_says_the_same_twice(dtype):
    net = tiny_net(config=FITTING)
    given = inputs(net, 1)
    fused = FastDecoder(net, torch.device("cuda"), dtype, compiled=False, soft=5, fused=True)
    run = cuda_graph(fused.decode)
    with torch.inference_mode():
        first = run(*given).clone()
        assert torch.equal(first, run(*given))
        loose = 2e-5 if dtype == torch.float32 else 2e-2
        torch.testing.assert_close(first.cpu(), net.decode(*given, 5), atol=loose, rtol=0)
