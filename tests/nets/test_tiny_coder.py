"""The tiny image coder: the numbers of diffusers and of the original, and the loader's refusals."""

import pytest

torch = pytest.importorskip("torch")

from safetensors.torch import load_file, save_file  # noqa: E402 - after the skip

from tests.mouth.small import PARITY  # noqa: E402
from vcam.engine.synthetic import Synthetic  # noqa: E402
from vcam.errors import WeightsError  # noqa: E402
from vcam.nets import tiny_coder  # noqa: E402

STORED = PARITY / "tiny_coder.safetensors"  # by diffusers 0.42.1 in float32, of these weights


def state():
    return Synthetic(small=True).mouth_state("tiny")


def original(part):
    """The weights of one half under the names of `taesd_encoder.pth` or `taesd_decoder.pth`."""
    shift = 1 if part == "decoder" else 0
    found = {}
    for key, value in state().items():
        half, _, number, rest = key.split(".", 3)
        if half == part:
            found[f"{int(number) + shift}.{rest}"] = value
    return found


def pictures():
    """Pixels in -1..1 and latents, some of them beyond what is decoded unbent."""
    chance = torch.Generator().manual_seed(5)
    pixels = torch.rand(2, 3, 64, 64, generator=chance) * 2 - 1
    return pixels, 3 * torch.randn(2, 4, 8, 8, generator=chance)


def test_it_gives_the_stored_numbers():
    coder, stored = tiny_coder.build_tiny(state()), load_file(STORED)
    with torch.inference_mode():
        for name, got in (
            ("encoded", coder.encode(stored["pixels"])),
            ("decoded", coder.decode(stored["latents"])),
        ):
            torch.testing.assert_close(got, stored[name], rtol=0, atol=2e-5)


def test_it_is_that_of_diffusers():
    diffusers = pytest.importorskip("diffusers", reason="no GPU stack: no diffusers")
    theirs = diffusers.AutoencoderTiny().eval()
    theirs.load_state_dict(state())
    assert theirs.config.scaling_factor == 1.0
    coder, (pixels, latents) = tiny_coder.build_tiny(state()), pictures()
    with torch.inference_mode():
        encoded, decoded = theirs.encode(pixels).latents, theirs.decode(latents).sample
        torch.testing.assert_close(coder.encode(pixels), encoded, rtol=0, atol=1e-5)
        torch.testing.assert_close(coder.decode(latents), decoded, rtol=0, atol=1e-5)
    assert latents.abs().max() > tiny_coder.LARGEST


def test_both_published_forms_load(tmp_path):
    whole, halves = tmp_path / "whole", tmp_path / "halves"
    whole.mkdir()
    halves.mkdir()
    save_file(state(), whole / "diffusion_pytorch_model.safetensors")
    for part in tiny_coder.PARTS:
        torch.save(original(part), halves / f"taesd_{part}.pth")
    assert "1.weight" in original("decoder")  # layer 0 of the original has no weights
    pixels, latents = pictures()
    one, other = tiny_coder.load_tiny(whole), tiny_coder.load_tiny(halves)
    with torch.inference_mode():
        torch.testing.assert_close(one.encode(pixels), other.encode(pixels), rtol=0, atol=0)
        torch.testing.assert_close(one.decode(latents), other.decode(latents), rtol=0, atol=0)


def test_a_missing_half_says_what_to_type(tmp_path):
    torch.save(original("encoder"), tmp_path / "taesd_encoder.pth")
    assert not tiny_coder.has_tiny(tmp_path)
    with pytest.raises(WeightsError, match="vcam models pull taesd"):
        tiny_coder.load_tiny(tmp_path)


def test_another_network_is_refused(tmp_path):
    wide = state() | {"decoder.layers.0.weight": torch.zeros(64, 16, 3, 3)}  # of another family
    save_file(wide, tmp_path / "diffusion_pytorch_model.safetensors")
    with pytest.raises(WeightsError, match=r"decoder\.layers\.0\.weight is \(64, 16, 3, 3\)"):
        tiny_coder.load_tiny(tmp_path)
    with pytest.raises(WeightsError, match="no layer of the original decoder"):
        tiny_coder.respelled("decoder", {"conv_in.weight": torch.zeros(1)})


def test_in_a_launch_a_convolution_it_is_the_same():
    from vcam.mouth.musetalk.fused_tiny import FusedTiny
    from vcam.nets.musetalk import unit

    coder, (pixels, latents) = tiny_coder.build_tiny(state()), pictures()
    fused = FusedTiny(coder)
    with torch.inference_mode():
        torch.testing.assert_close(fused.encode(pixels), coder.encode(pixels), rtol=0, atol=1e-5)
        expected = unit(coder.decode(latents))
        torch.testing.assert_close(fused.picture(latents), expected, rtol=0, atol=1e-5)
