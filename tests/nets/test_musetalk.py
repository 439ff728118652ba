"""MuseTalk's networks: the loader's spellings and refusals, and parts of the maths."""

import json

import pytest

torch = pytest.importorskip("torch")

from safetensors.torch import save_file  # noqa: E402 - after the skip

from tests.mouth.small import PARITY, networks  # noqa: E402
from tests.parity.musetalk import filled, released_spelling  # noqa: E402
from vcam.engine.synthetic import UNET, VAE  # noqa: E402
from vcam.errors import WeightsError  # noqa: E402
from vcam.nets import musetalk as nets  # noqa: E402
from vcam.nets.diffusion import Pointwise  # noqa: E402
from vcam.nets.image_vae import ImageVae, VaeConfig  # noqa: E402
from vcam.nets.latent_unet import LatentUnet, UnetConfig  # noqa: E402


def part(name):
    return filled(PARITY, f"musetalk_small_{name}", 31)


def released(folder, vae="bin", whisper="bin", unet=None):
    """The small networks in the released layout, names and formats."""
    for name, directory, config, stem, kind in (
        ("unet", "musetalkV15", "musetalk.json", "unet", "pth"),
        ("vae", "sd-vae-ft-mse", "config.json", "diffusion_pytorch_model", vae),
        ("whisper", "whisper-tiny", "config.json", "pytorch_model", whisper),
    ):
        settings, state = part(name)
        state = released_spelling(PARITY, f"musetalk_small_{name}", state)
        if name == "whisper":
            state = state | {"model.decoder.layer_norm.bias": torch.zeros(48)}
        if name == "unet" and unet:
            unet(state)
        (folder / directory).mkdir()
        (folder / directory / config).write_text(json.dumps(settings))
        path = folder / directory / f"{stem}.{kind}"
        if kind == "safetensors":
            save_file(state, path.with_stem("model" if name == "whisper" else stem))
        else:
            torch.save(state, path)
    return folder


@pytest.mark.parametrize("kind", ["bin", "safetensors"])
def test_the_released_layout_loads(tmp_path, kind):
    released(tmp_path, vae=kind, whisper=kind)
    net, speech = nets.load_inpainter(tmp_path), nets.load_speech(tmp_path)
    crop = torch.rand(1, 3, 64, 64)
    tokens = torch.randn(1, 30, 48)
    with torch.inference_mode():
        torch.testing.assert_close(net(crop, tokens), networks()[0](crop, tokens))
        mel = torch.randn(1, 80, 100)
        torch.testing.assert_close(speech(mel), networks()[1](mel))


def test_both_spellings_of_the_attention_are_the_same():
    config, state = part("vae")
    old = released_spelling(PARITY, "musetalk_small_vae", state)
    assert any(".query." in key for key in old)
    assert not any(".query." in key for key in state)
    maps = {k: v[:, :, None, None] if ".query.weight" in k else v for k, v in old.items()}
    latents = torch.randn(1, 4, 8, 8)
    with torch.inference_mode():
        pictures = [nets.build_coder(config, s).decode(latents) for s in (state, old, maps)]
    torch.testing.assert_close(pictures[1], pictures[0], rtol=0, atol=0)
    torch.testing.assert_close(pictures[2], pictures[0], rtol=0, atol=0)


def test_a_checkpoint_of_another_network_is_refused(tmp_path):
    def spoil(state):
        state["conv_in.weight"] = torch.zeros(32, 4, 3, 3)
        del state["conv_out.bias"]
        state["extra"] = torch.zeros(1)

    released(tmp_path, unet=spoil)
    with pytest.raises(WeightsError, match=r"unet\.pth") as refusal:
        nets.load_inpainter(tmp_path)
    for fault in ("missing conv_out.bias", "surplus extra", "conv_in.weight is (32, 4, 3, 3)"):
        assert fault in str(refusal.value)


@pytest.mark.parametrize("gone", ["musetalkV15/musetalk.json", "musetalkV15/unet.pth"])
def test_a_missing_file_is_named(tmp_path, gone):
    released(tmp_path)
    (tmp_path / gone).unlink()
    with pytest.raises(WeightsError, match=gone.split("/")[1]):
        nets.load_inpainter(tmp_path)


def test_missing_whisper_is_named(tmp_path):
    with pytest.raises(WeightsError, match="whisper-tiny"):
        nets.load_speech(tmp_path)


def test_settings_that_are_no_json_are_refused(tmp_path):
    released(tmp_path)
    (tmp_path / "sd-vae-ft-mse/config.json").write_text("<html>")
    with pytest.raises(WeightsError, match="not JSON"):
        nets.load_inpainter(tmp_path)


def test_the_unet_is_that_of_diffusers_at_time_0():
    """Against its own forward pass, in double: some inputs amplify rounding."""
    diffusers = pytest.importorskip("diffusers", reason="no GPU stack: no diffusers")
    config, state = part("unet")
    plain = diffusers.UNet2DConditionModel.from_config(config).double().eval()
    plain.load_state_dict(state)
    chance = torch.Generator().manual_seed(7)
    latents = torch.randn(2, 8, 8, 8, generator=chance).double()
    speech = torch.randn(2, 30, 48, generator=chance).double()
    with torch.inference_mode():
        wanted = plain(latents, torch.zeros(2), encoder_hidden_states=speech).sample
        got = nets.build_unet(config, state).double()(latents, speech)
    torch.testing.assert_close(got, wanted, rtol=0, atol=2e-5)


def test_the_image_coder_is_that_of_diffusers():
    diffusers = pytest.importorskip("diffusers", reason="no GPU stack: no diffusers")
    config, state = part("vae")
    plain = diffusers.AutoencoderKL.from_config(config).eval()
    plain.load_state_dict(state)
    coder = nets.build_coder(config, state)
    crop = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(8)) * 2 - 1
    with torch.inference_mode():
        found = plain.encode(crop).latent_dist
        for got, wanted in zip(coder.moments(crop), (found.mean, found.logvar), strict=True):
            torch.testing.assert_close(got, wanted, rtol=0, atol=1e-6)
        wanted = plain.decode(found.mean).sample
        got = coder.decode(found.mean * coder.scale)
        torch.testing.assert_close(got, wanted, rtol=0, atol=1e-5)


def test_the_released_networks_have_the_released_sizes():
    """Against diffusers, name by name."""
    diffusers = pytest.importorskip("diffusers", reason="no GPU stack: no diffusers")
    with torch.device("meta"):
        ours = LatentUnet(UnetConfig.of(UNET)), ImageVae(VaeConfig.of(VAE))
        theirs = (
            diffusers.UNet2DConditionModel.from_config(UNET),
            diffusers.AutoencoderKL.from_config(VAE),
        )
    for own, other in zip(ours, theirs, strict=True):
        shapes = {name: value.shape for name, value in own.state_dict().items()}
        assert shapes == {name: value.shape for name, value in other.state_dict().items()}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"act_fn": "gelu"}, "only 'silu' is known here"),
        ({"freq_shift": 1}, "freq_shift 1"),
        ({"down_block_types": ["AttnDownBlock2D"] * 4}, "AttnDownBlock2D"),
        ({"block_out_channels": 4}, "not iterable"),
    ],
)
def test_settings_of_another_network_are_refused(change, told):
    with pytest.raises(WeightsError, match=told):
        UnetConfig.of(UNET | change)


def test_weights_are_taken_over_as_they_are_and_left_so():
    """No copy is made of what a file holds, and folding the time step does not touch it."""
    config, state = part("unet")
    before = {name: value.clone() for name, value in state.items()}
    net = nets.build_unet(config, {name: value.half() for name, value in state.items()})
    own = nets.build_unet(config, state).net.state_dict()
    assert {value.dtype for value in net.parameters()} == {torch.float16}
    assert own["conv_in.weight"].data_ptr() == state["conv_in.weight"].data_ptr()
    assert all(torch.equal(state[name], value) for name, value in before.items())
    bias = "down_blocks.0.resnets.0.conv1.bias"
    assert not torch.equal(own[bias], before[bias])


def test_windows_at_the_ends_are_filled_with_zeros():
    states = torch.arange(1.0, 13.0)[:, None, None].expand(12, 2, 1)
    assert nets.speech_window(states, 0)[::2, 0].tolist() == [0, 0, 0, 0, 1, 2, 3, 4, 5, 6]
    assert nets.speech_window(states, 10)[::2, 0].tolist() == [7, 8, 9, 10, 11, 12, 0, 0, 0, 0]
    assert not nets.speech_window(states, 40).any()
    assert nets.speech_window(states, -20).shape == (20, 1)


def test_the_masked_half_is_black_and_the_rest_is_kept():
    crop = torch.rand(1, 3, 16, 16)
    masked = nets.masked(crop)
    assert (masked[:, :, 8:] == -1).all()
    torch.testing.assert_close(masked[:, :, :8], crop[:, :, :8] * 2 - 1)


def test_a_convolution_of_single_pixels_as_a_product_is_the_convolution():
    layer = Pointwise(12, 20).requires_grad_(False)
    x = torch.randn(2, 12, 8, 8, generator=torch.Generator().manual_seed(9))
    plain = layer(x)
    layer.product = True
    torch.testing.assert_close(layer(x), plain, rtol=0, atol=1e-5)
    assert "product=True" in repr(layer)


def test_the_unet_of_products_is_the_unet():
    config, state = part("unet")
    plain, products = (nets.build_unet(config, state) for _ in range(2))
    for layer in products.modules():
        if isinstance(layer, Pointwise):
            layer.product = True
    latents, speech = torch.randn(2, 8, 8, 8), torch.randn(2, 30, 48)
    with torch.inference_mode():
        torch.testing.assert_close(
            products(latents, speech), plain(latents, speech), rtol=0, atol=2e-4
        )
