# ruff: noqa: E402 - imports follow the skip
"""GAGAvatar's networks on a small stand-in: shapes, keys, quirks, and the forms that must agree."""

import json
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from torch.nn.functional import conv2d

from tests.render.stand_ins import person, stand_in_net
from vcam.errors import WeightsError
from vcam.nets.gagavatar import GagavatarConfig, GagavatarNet, encode_direction, plane_points
from vcam.nets.styleunet import StyleUnet

SHAPES = Path(__file__).parents[1] / "data" / "parity" / "gagavatar_shapes.json"
SMALL = GagavatarConfig.small(400)


@pytest.fixture(autouse=True)
def _no_gradients():
    with torch.inference_mode():
        yield


@pytest.fixture(scope="module")
def net():
    return stand_in_net(SMALL, 3)


@pytest.fixture(scope="module")
def gaussians(net):
    someone = person(3)
    with torch.inference_mode():
        return net(someone.image, someone.transform)


@pytest.fixture
def features():
    size = SMALL.renderer.size
    return torch.randn(1, 32, size, size, generator=torch.Generator().manual_seed(4))


def test_the_full_network_has_the_keys_and_shapes_of_the_released_checkpoint():
    with torch.device("meta"):
        ours = {name: list(value.shape) for name, value in GagavatarNet().state_dict().items()}
    assert ours == json.loads(SHAPES.read_text())


def test_a_photo_becomes_head_and_two_planes(gaussians):
    count, planes = SMALL.points, 2 * SMALL.plane**2
    assert gaussians.plane_points.shape == (planes, 3)
    assert gaussians.colours.shape == (count, 32)
    assert gaussians.opacities.shape == (count, 1)
    assert gaussians.scales.shape == (count, 3)
    assert 0 < gaussians.scales.min() <= gaussians.scales.max() < 0.05
    assert all(getattr(gaussians, name).isfinite().all() for name in gaussians.__slots__)


def test_head_quaternions_are_normalised_over_the_points(gaussians):
    head = gaussians.rotations[: SMALL.head_points]
    planes = gaussians.rotations[SMALL.head_points :]
    assert torch.allclose(head.norm(dim=0), torch.ones(4), atol=1e-5)
    assert head.norm(dim=1).max() < 0.2
    assert torch.allclose(planes.norm(dim=1), torch.ones(len(planes)), atol=1e-5)


def test_the_planes_sigmoid_falls_on_columns_not_on_channels(gaussians):
    side = SMALL.plane
    planes = gaussians.colours[SMALL.head_points :].view(2, side, side, 32)
    left, rest = planes[:, :, :3], planes[:, :, 3:]
    assert ((left > 0) & (left < 1)).all()
    assert (rest[..., :3] < 0).any()


def test_the_global_feature_is_the_top_left_patch(net):
    photo = net.normalised(person(3).image)
    _, top_left = net.base_model(photo)
    changed = photo.clone()
    changed[..., -14:, -14:] += 1  # another patch
    tokens = net.base_model.dino_model(photo)[-1]
    assert torch.equal(top_left, tokens[0, 0])
    assert not torch.equal(net.base_model(changed)[1], top_left)  # attention sees every patch


def test_the_plane_passes_through_the_origin_and_faces_the_camera():
    transform = person(3).transform
    points = plane_points(transform[:, :3], transform[:, 3], 5)
    assert points[12].abs().max() < 0.1  # the middle: the photo's camera looks past the origin
    assert (points @ transform[:, 2]).std() < 1e-5
    assert encode_direction(transform[:, 2]).shape == (27,)


def test_two_photos_give_two_people(net, gaussians):
    other = person(8)
    with torch.inference_mode():
        assert not torch.allclose(net(other.image, other.transform).colours, gaussians.colours)


def test_the_picture_lies_between_black_and_white(net, features):
    picture = net.upsampler(features)
    assert picture.shape == (1, 3, *features.shape[-2:])
    assert 0 <= picture.min() < picture.max() <= 1


def test_settled_weights_give_the_same_picture(net, features):
    settled = StyleUnet(SMALL.renderer).eval()
    settled.load_state_dict(net.upsampler.state_dict())
    settled.settle(torch.float32)
    with torch.inference_mode():
        assert torch.allclose(settled(features), net.upsampler(features), atol=2e-6)


def test_half_precision_keeps_the_style_path_in_float32(net, features):
    half = StyleUnet(SMALL.renderer).eval()
    half.load_state_dict(net.upsampler.state_dict())
    half.settle(torch.bfloat16)  # a CPU has few operations in float16
    with torch.inference_mode():
        picture = half(features.bfloat16())
        assert half.stylegan_decoder.latent(half.encode(features.bfloat16()).style_code).dtype == (
            torch.float32
        )
        assert (picture.float() - net.upsampler(features)).abs().max() < 0.05


def test_modulated_activations_equal_modulated_weights(net):
    """The paper modulates weights: w * s, over the root of its energy."""
    decoder = net.upsampler.stylegan_decoder
    conv = decoder.style_convs[2].modulated_conv
    generator = torch.Generator().manual_seed(5)
    feat = torch.randn(1, conv.weight.shape[2], 8, 8, generator=generator)
    latent = torch.randn(1, SMALL.renderer.style, generator=generator)
    scales, gains = decoder._styles(latent, torch.float32)
    ours = conv(feat, scales[3]) * gains[3]
    weight = conv.weight[0] * conv.modulation(latent)[0][None, :, None, None]
    weight = weight * torch.rsqrt(weight.square().sum((1, 2, 3), keepdim=True) + 1e-8)
    theirs = conv2d(feat, weight, padding=1) * 2**0.5
    assert torch.allclose(ours, theirs, atol=1e-5)


def test_stored_noise_is_repeatable_and_fresh_noise_is_not(net, features):
    with torch.inference_mode():
        stored, fresh = (
            [net.upsampler(features, kind) for _ in range(2)] for kind in ("stored", "fresh")
        )
        without = net.upsampler(features, "none")
    assert torch.equal(*stored)
    assert not torch.equal(*fresh)
    assert not torch.equal(stored[0], without)


def test_a_released_checkpoint_loads_without_its_training_loss(net, tmp_path):
    state = dict(net.state_dict())
    state["percep_loss.model.0.weight"] = torch.zeros(3)
    path = tmp_path / "GAGAvatar.pt"
    torch.save({"model": state, "meta_cfg": {"MODEL": {"NAME": "GAGAvatar"}}}, path)
    loaded = GagavatarNet.load(path, SMALL)
    assert not loaded.training
    assert all(
        torch.equal(a, b)
        for a, b in zip(loaded.state_dict().values(), net.state_dict().values(), strict=True)
    )


def test_another_models_checkpoint_is_refused_by_name(net, tmp_path):
    path = tmp_path / "other.pt"
    torch.save({"model": {"encoder.weight": torch.zeros(3)}}, path)
    with pytest.raises(WeightsError, match=r"surplus encoder\.weight"):
        GagavatarNet.load(path, SMALL)


def test_a_photo_of_the_wrong_shape_is_a_mistake_of_ours(net, features):
    with pytest.raises(AssertionError):
        net.upsampler(features[:, :16])


def test_narrow_layers_convolve_in_another_way_to_the_same_picture(net, features):
    from vcam.render.gagavatar.upsample import quicken

    own = StyleUnet(SMALL.renderer).eval()
    own.load_state_dict(net.upsampler.state_dict())
    told = repr(own)
    quicken(own)
    with torch.inference_mode():
        torch.testing.assert_close(own(features), net.upsampler(features), rtol=0, atol=2e-5)
    assert "its own convolution" in repr(own)  # kept kernels are named by it
    assert "its own convolution" not in told
