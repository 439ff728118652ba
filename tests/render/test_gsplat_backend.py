# ruff: noqa: E402 - imports follow the skip
"""What the gsplat library is asked for, read back as its documentation says; it needs a GPU itself.

The stand-in knows nothing of our views: it takes `viewmats` (x right, y down, z forward), `Ks`
(pixel centres at a half) and full covariances, and draws them by the exact rules.
"""

import sys
from types import ModuleType, SimpleNamespace

import pytest

torch = pytest.importorskip("torch")

from tests.render.interpreted import seen_by, some_cloud
from vcam.errors import ConfigError
from vcam.render.splat.choose import splatter
from vcam.render.splat.cloud import BLUR, NEAR, Cloud
from vcam.render.splat.exact import ExactSplatter

SIZE, FOCAL = 32, 12.0


def rasterization(means, quats, scales, opacities, colours, viewmats, lens, width, height, **more):
    """gsplat 1.5's, for one camera that looks through the middle of the picture."""
    full = more.pop("covars")
    assert (quats, scales, width) == (None, None, height)
    assert more == {
        "near_plane": NEAR, "eps2d": BLUR, "packed": False, "rasterize_mode": "classic",
    }  # fmt: skip
    pixels = lens[0, 0, 0]
    assert torch.equal(
        lens[0], torch.tensor([[pixels, 0, width / 2], [0, pixels, width / 2], [0, 0, 1]])
    )
    assert torch.equal(viewmats[0, 3], torch.tensor([0, 0, 0, 1.0]))
    assert torch.equal(full, full.transpose(1, 2))
    across, down = torch.triu_indices(3, 3)
    cloud = Cloud(means, full[:, across, down], opacities, colours)
    drawn = ExactSplatter(cloud, width, float(pixels) * 2 / width)
    features, coverage = drawn.draw(means, viewmats[0, :3])
    return features.permute(1, 2, 0)[None], coverage[None, ..., None], {}


@pytest.fixture
def gsplat(monkeypatch):
    """A `gsplat` that draws on a CPU."""
    module, cuda = ModuleType("gsplat"), ModuleType("gsplat.cuda")
    module.rasterization = rasterization
    cuda._backend = SimpleNamespace(_C=object())
    for name, made in (("gsplat", module), ("gsplat.cuda", cuda)):
        monkeypatch.setitem(sys.modules, name, made)
    return cuda


def test_it_is_asked_for_the_same_picture(gsplat):
    cloud, seen = some_cloud(3), seen_by(3)
    ours = splatter(cloud, SIZE, "gsplat", torch.float32, FOCAL).draw(cloud.points, seen)
    exact = ExactSplatter(cloud, SIZE, FOCAL).draw(cloud.points, seen)
    assert exact[1].max() > 0.1
    for got, expected in zip(ours, exact, strict=True):
        assert torch.allclose(got, expected, atol=1e-5)


def test_it_is_no_part_of_a_graph(gsplat):
    assert not splatter(some_cloud(3), SIZE, "gsplat", torch.float32, FOCAL).capturable


def test_without_kernels_or_without_gsplat_the_message_says_so(gsplat, monkeypatch):
    cloud = some_cloud(3)
    gsplat._backend._C = None
    with pytest.raises(ConfigError, match="no compiled kernels"):
        splatter(cloud, SIZE, "gsplat", torch.float32, FOCAL)
    monkeypatch.setitem(sys.modules, "gsplat", None)
    with pytest.raises(ConfigError, match="gsplat"):
        splatter(cloud, SIZE, "gsplat", torch.float32, FOCAL)
