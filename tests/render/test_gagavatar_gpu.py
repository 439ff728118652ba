# ruff: noqa: E402 - imports follow the skip
"""The neural renderer where it belongs: kernels, graphs and half precision on an NVIDIA GPU.

A small network, so that nothing compiles for long; `scripts/gpu/bench_gagavatar` does the same at
full size, compiled too.
"""

import gc

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("triton", reason="no GPU here: without CUDA there is no Triton")

from tests.parity.gaga_frames import psnr
from tests.render.interpreted import crowd, difference, seen_by, some_cloud
from tests.render.stand_ins import flame_model, motions, person, stand_in_net
from vcam.nets.gagavatar import GagavatarConfig
from vcam.nets.styleunet import StyleUnet
from vcam.render.gagavatar.identity import Identity
from vcam.render.gagavatar.renderer import GagavatarRenderer
from vcam.render.gagavatar.steps import Manner
from vcam.render.splat.cloud import Cloud
from vcam.render.splat.exact import ExactSplatter
from vcam.render.splat.tables import TableSplatter, Tuning

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no NVIDIA GPU here"),
]
SEED = 7
HEAD = 400
SMALL = GagavatarConfig.small(HEAD)
SIZE, FOCAL = 32, 12.0


@pytest.fixture(scope="module")
def gpu():
    """The GPU, float32 meaning float32."""
    kept = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    yield torch.device("cuda")
    torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = kept


@pytest.fixture(scope="module")
def make(gpu):
    net, flame = stand_in_net(SMALL, SEED).to(gpu), flame_model(SEED, HEAD)
    identity = Identity.prepare(net, person(SEED))
    state = net.upsampler.state_dict()

    def build(behind=None, **manner) -> GagavatarRenderer:
        upsampler = StyleUnet(SMALL.renderer).eval()
        upsampler.load_state_dict(state)
        return GagavatarRenderer(
            identity, upsampler, flame, behind, manner=Manner(host=True, **manner)
        )

    return build


def run_of(renderer, count=8):
    """The first frames from the start."""
    renderer.reset()
    frames = [renderer.step(motion) for motion in motions(SEED, count)]
    return torch.stack([torch.from_numpy(frame.pixels) for frame in frames]).float(), frames


def everywhere() -> Cloud:
    """Gaussians so wide that each touches every tile: the most entries that 16 tiles can have."""
    cloud = crowd()
    return Cloud(cloud.points, 4e4 * cloud.covariances, cloud.opacities, cloud.colours)


CLOUDS = {"cloud": lambda: some_cloud(3), "crowd": crowd, "everywhere": everywhere}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
@pytest.mark.parametrize("which", CLOUDS)
def test_the_fast_splatter_follows_the_exact_one(gpu, dtype, which):
    cloud, seen = CLOUDS[which]().to(gpu), seen_by(4).to(gpu)
    largest, entries = difference(cloud, seen, 64, dtype, Tuning())
    assert largest < (5e-5 if dtype == torch.float32 else 2e-2)
    if which == "everywhere":
        assert entries == 16 * len(cloud.points)


def test_the_fast_splatter_repeats_itself_to_the_bit(gpu):
    cloud, seen = some_cloud(3).to(gpu), seen_by(3).to(gpu)
    fast = TableSplatter(cloud, SIZE, FOCAL)
    first = [result.clone() for result in fast.draw(cloud.points, seen)]
    assert all(map(torch.equal, fast.draw(cloud.points, seen), first))


def test_gsplat_agrees_within_its_own_tolerance(gpu):
    pytest.importorskip("gsplat", reason="this GPU's machine has no gsplat")
    from vcam.render.splat.gsplat_backend import GsplatSplatter

    cloud, seen = some_cloud(3).to(gpu), seen_by(3).to(gpu)
    exact = ExactSplatter(cloud, SIZE, FOCAL).draw(cloud.points, seen)
    ours = GsplatSplatter(cloud, SIZE, FOCAL).draw(cloud.points, seen)
    for got, expected in zip(ours, exact, strict=True):
        assert (got - expected).norm() < 1e-2 * expected.norm()
        assert (got - expected).abs().max() < 0.2


@pytest.mark.parametrize("half", [False, True])
def test_a_graph_draws_the_same_bytes(make, half):
    plain, _ = run_of(make(speed="plain", half=half))
    graphed, _ = run_of(make(speed="graphed", half=half))
    assert plain.std() > 1
    assert torch.equal(graphed, plain)


def test_another_renderer_opens_when_the_first_is_gone(make):
    """Their graphs share memory, which must outlive the first."""
    first, _ = run_of(make(speed="graphed"), 2)
    gc.collect()
    again, _ = run_of(make(speed="graphed"), 2)
    assert torch.equal(again, first)


def test_half_precision_stays_near_float32(make):
    exact, marks = run_of(make(speed="plain", half=False))
    half, same_marks = run_of(make(speed="graphed"))
    assert min(psnr(a / 255, b / 255) for a, b in zip(half, exact, strict=True)) > 50
    assert (half - exact).abs().max() <= 10
    for first, second in zip(marks, same_marks, strict=True):
        assert abs(first.landmarks - second.landmarks).max() < 1e-3


def test_two_runs_are_equal_to_the_byte(make):
    renderer = make(speed="graphed")
    assert torch.equal(run_of(renderer)[0], run_of(renderer)[0])


@pytest.mark.parametrize("splatting", ["exact", "gsplat"])
def test_a_splatter_that_waits_for_the_gpu_draws_too(make, splatting):
    if splatting == "gsplat":
        pytest.importorskip("gsplat", reason="this GPU's machine has no gsplat")
    usual, _ = run_of(make(speed="graphed"), 3)
    other, _ = run_of(make(speed="graphed", splatting=splatting), 3)
    assert (other - usual).abs().max() <= 3


def test_the_background_is_drawn_on_the_gpu(make, gpu):
    behind = torch.tensor([0.0, 1.0, 0.0], device=gpu)[:, None, None]
    size = SMALL.renderer.size
    black, _ = run_of(make(speed="graphed"), 2)
    green, _ = run_of(make(behind.expand(3, size, size), speed="graphed"), 2)
    assert torch.equal(green[..., 0], black[..., 0])
    assert (green[..., 1] - black[..., 1]).max() > 40


def test_a_thousand_frames_take_no_more_memory(make):
    renderer = make(speed="graphed")
    rows = motions(SEED, 50)
    for row in rows:
        renderer.step(row)
    gc.collect()
    before = torch.cuda.memory_allocated()
    for _ in range(20):
        for row in rows:
            renderer.step(row)
    assert torch.cuda.memory_allocated() == before
