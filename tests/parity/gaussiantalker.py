"""GaussianTalker against the original: sound, tokens, network, cameras, splats, whole pictures."""

from __future__ import annotations

import json
import re
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor

from tests.parity import fill
from tests.parity.report import Report
from vcam.audio import cepstra
from vcam.enroll.own_avatar.gaussiantalker import resting
from vcam.media import Image
from vcam.nets.deepspeech import DeepSpeech
from vcam.nets.gaussiantalker import GaussianTalkerNet, eye_code
from vcam.nets.gaussiantalker.deform import Layer
from vcam.render.gaussiantalker import poses
from vcam.render.gaussiantalker.points import Posed, Resting, moved, posed
from vcam.render.gaussiantalker.renderer import behind
from vcam.render.gaussiantalker.rows import Rows
from vcam.render.splat.cloud import Cloud, Lens, covariances
from vcam.render.splat.coloured import coloured
from vcam.render.splat.exact import flatten
from vcam.render.splat.harmonics import colours
from vcam.system import opencv as cv2
from vcam.tensors.arrays import read_numbers

PREFIX = "deformation_net."
BOX = f"{PREFIX}tri_plane.grid.aabb"
THIN = 30  # the small file keeps every so manieth point
FINAL = {"means": 1e-5, "scales": 3e-6, "rotations": 1e-4, "opacity": 3e-5, "shs": 4e-5}
DELTA = {"pos": 6e-6, "scales": 6e-5, "rotations": 6e-5, "opacity": 2e-4, "shs": 4e-5}


def check(folder: Path, report: Report, device: str = "cpu", small: bool = False) -> None:
    """Compare with the files in `folder`; `small`: the thinned file, which has no pictures."""
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    name = "gaussiantalker_small" if small else "gaussiantalker"
    if (folder / f"{name}.safetensors").is_file():
        with torch.inference_mode():
            _Check(folder, name, report, torch.device(device)).run()


def filled(manifest: dict[str, Any], seed: int) -> dict[str, Tensor]:
    """The state dict of a manifest as the original program would save it."""
    state = {key: torch.as_tensor(x) for key, x in fill.fill_state_dict(manifest, seed).items()}
    state[BOX] = torch.tensor(manifest["config"]["aabb"], dtype=torch.float32)
    for name in ("pos_poc", "rotation_scaling_poc", "opacity_poc"):
        state[name] = 2.0 ** torch.arange(manifest["tensors"][name]["shape"][0])
    return state


class _Check:
    """One file of stored tensors."""

    def __init__(self, folder: Path, name: str, report: Report, device: torch.device) -> None:
        self.folder, self.report, self.device = folder, report, device
        self.ref = load_file(folder / f"{name}.safetensors")
        with safe_open(folder / f"{name}.safetensors", "np") as file:
            self.info = json.loads(file.metadata()["info"])
        self.identity = folder / "identities" / "gaussiantalker"
        self.whole = "points" not in self.ref  # else what a test needs of the identity is inside
        report.heading(f"{name}, seed {self.info['seed']}")

    def run(self) -> None:
        """Every stage, each fed with what was stored of the stage before."""
        self.sound()
        self.cameras()
        self.conditions()
        self.points()
        if self.whole:
            self.pictures()
            self.two_layers()

    def net(self, manifest: str) -> GaussianTalkerNet:
        """The filled network, with the box of the manifest."""
        facts = fill.load_manifest(self.folder / f"{manifest}.manifest.json")
        state = filled(facts, self.info["seed"])
        key = "net_1layer" if manifest == "gaussiantalker" else "net_2layer"
        self.report.equal(f"{key} weights", fill.state_digest(state), self.info["digests"][key])
        return GaussianTalkerNet.of(state).to(self.device)

    @cached_property
    def one(self) -> GaussianTalkerNet:
        """With one layer of attention."""
        return self.net("gaussiantalker")

    @cached_property
    def rest(self) -> Resting:
        """The Gaussians as they are stored."""
        if not self.whole:
            parts = self.ref["points"].split([3, 3, 4, 1, 48], 1)
            raw = Resting(*parts[:3], parts[3][:, 0], parts[4].view(-1, 16, 3))
        else:
            (path,) = self.identity.glob("model/point_cloud/iteration_*/point_cloud.ply")
            raw = resting(path)
        return Resting(*(value.to(self.device) for value in raw))

    def close(self, name: str, got: Tensor, atol: float, axis: int = 1) -> None:
        """`got` holds all points along `axis`; the stored tensor holds every so manieth."""
        stored = next(key for key in self.ref if re.fullmatch(rf"{re.escape(name)}(_s\d+)?", key))
        thinned = re.search(r"_s(\d+)$", stored)
        step = int(thinned[1]) if thinned else 2 if name == "triplane" else 1
        which = torch.arange(0, got.shape[axis], step if self.whole else 1, device=got.device)
        ours = got.index_select(axis, which)
        self.report.close(stored, ours.reshape(self.ref[stored].shape), self.ref[stored], atol)

    def sound(self) -> None:
        """Voice -> cepstra -> letters -> windows."""
        rows = cepstra.normalised(
            cepstra.in_context(cepstra.of_clip(self.ref["audio.pcm_i16"].numpy()))
        )
        self.report.close(
            "audio.mfcc_input_row20", rows[20], self.ref["audio.mfcc_input_row20"], 2e-6
        )
        graph = self.folder / "deepspeech_small.pb"
        if self.whole:
            graph = self.identity / "data" / "deepspeech_small.pb"
        letters = DeepSpeech.load(graph).to(self.device)(
            torch.from_numpy(rows).float().to(self.device)
        )
        self.report.close("audio.logits", letters, self.ref["audio.logits"], 5e-5)
        heard = Rows(29, self.device)
        heard.add(self.ref["audio.logits"][:-1].to(self.device))
        for entry, (kind, place, _) in enumerate(self.ref["frame_index"].tolist()):
            if kind == 0:
                ours = heard.windows(2 * place)
                self.report.close(f"in.audio[{entry}]", ours, self.ref["in.audio"][entry], 1e-4)

    def cameras(self) -> None:
        """Recorded poses -> views, and what the network is told of them."""
        view = self.ref["view"][:, :3]
        if self.whole:
            tracked = read_numbers(self.identity / "data" / "track_params.pt")
            which = self.ref["frame_index"][:, 2].long()
            view = poses.views(tracked["euler"][which], tracked["trans"][which])
            self.report.close("view", view, self.ref["view"][:, :3], 1e-6)
        self.report.close("in.cam", poses.camera_numbers(view), self.ref["in.cam"], 1e-6)
        self.report.close("campos", poses.centre(view), self.ref["campos"], 1e-5)

    def conditions(self) -> None:
        """What a frame is, as tokens."""
        ref, net = {key: value.to(self.device) for key, value in self.ref.items()}, self.one
        codes = torch.stack([net.audio_net(windows) for windows in ref["in.audio"]])
        self.report.close("audio_net", codes, ref["audio_net"], 2e-5)
        weights = torch.stack([net.audio_att_net(code) for code in ref["audio_net"]])
        self.report.close("audio_weights", weights, ref["audio_weights"], 1e-5)
        code = torch.stack([net.audio_code(windows) for windows in ref["in.audio"]])
        self.report.close("audio_code", code, ref["audio_code"], 4e-5)
        eyes = eye_code(ref["eye.test_values"])
        self.report.close("eye.test_codes", eyes, ref["eye.test_codes"], 1e-6)
        self.report.close("eye.test_tokens", net.eye_mlp(eyes), ref["eye.test_tokens"], 5e-6)
        inputs = zip(ref["in.audio"], ref["in.eye"], ref["in.cam"], strict=True)
        tokens = torch.stack([net.tokens(*each) for each in inputs])
        self.report.close("tokens", tokens, ref["tokens"], 4e-5)

    def points(self) -> None:
        """Plane features, attention and the five heads, frame by frame."""
        features = self.one.features(self.rest.points)
        self.close("triplane", features, 2e-4, axis=0)
        queries = self.one.queries(features)
        frames = [self._frame(features, queries, tokens) for tokens in self.ref["tokens"]]
        tolerances = {"attention": 1e-4, "mha_out": 4e-4, "norm1": 4e-4, "hidden": 4e-4}
        tolerances |= {f"delta.{name}": atol for name, atol in DELTA.items()}
        tolerances |= {f"final.{name}": atol for name, atol in FINAL.items()}
        for name, atol in tolerances.items():
            self.close(name, torch.stack([frame[name] for frame in frames]), atol)
        seen = [
            colours(frame["final.shs"], frame["final.means"], eye.to(self.device))
            for frame, eye in zip(frames, self.ref["campos"], strict=True)
        ]
        self.close("colors", torch.stack(seen), 3e-5)

    def _frame(self, features: Tensor, queries: Tensor, tokens: Tensor) -> dict[str, Tensor]:
        tokens = tokens.to(self.device)
        layer = self.one.transformer.layers[0]
        assert isinstance(layer, Layer)
        attended = layer.enc_dec_attention(queries, tokens)
        weights = layer.enc_dec_attention.weights(queries, tokens)
        offsets = self.one.deform(features, queries, tokens)
        now = posed(moved(self.rest, offsets))
        return {
            "attention": weights.mean(0),
            "mha_out": attended,
            "norm1": layer.norm1(features + attended),
            "hidden": self.one.transformer(features, queries, tokens),
            **_named("delta", DELTA, offsets),
            **_named("final", FINAL, now),
        }

    def pictures(self) -> None:
        """From tokens to bytes, by every splatter that is here."""
        kinds = ("exact",) if self.device.type == "cpu" else ("tables", "gsplat")
        for kind in kinds:
            for entry, (_, _, number) in enumerate(self.ref["frame_index"].tolist()):
                self._picture(kind, entry, number)

    def _picture(self, kind: str, entry: int, number: int) -> None:
        info, report, ref = self.info, self.report, self.ref
        lens = Lens.of_pixels(info["width"], info["height"], self._focal)
        view, eye = (ref[name][entry].to(self.device) for name in ("view", "campos"))
        view = view[:3].contiguous()
        features = self.one.features(self.rest.points)
        tokens = ref["tokens"][entry].to(self.device)
        now = posed(moved(self.rest, self.one.deform(features, self.one.queries(features), tokens)))
        cloud = _cloud(now, eye)
        head, coverage = coloured(lens, len(now.points), self.device, kind).draw(cloud, view)
        ground = torch.from_numpy(behind(self._torso(number), self._room)).to(self.device) / 255
        picture = head + (1 - coverage) * ground.permute(2, 0, 1)
        name, exact = f"image[{entry}] {kind}", kind != "gsplat"
        error = (picture.cpu() - ref["image"][entry]).abs()
        report.at_most(f"{name} mean", float(error.mean()), 3e-6 if exact else 3e-4)
        report.at_most(f"{name} share over 1e-3", float((error > 1e-3).float().mean()), 5e-4)
        bytes_ = (picture.clamp(0, 1) * 255).to(torch.uint8).cpu().int()
        steps = (bytes_ - ref["image_u8"][entry].int()).abs()
        report.at_most(f"{name} steps", float(steps.max()), 4)
        report.at_most(f"{name} bytes off", float((steps > 0).float().mean()), 1e-3)
        if kind == "exact":
            splats = flatten(cloud, view, lens)
            wrong = int((splats.radii.cpu() != ref["radii"][entry]).sum())
            report.at_most(f"radii[{entry}] that differ", wrong, 3)

    @cached_property
    def _focal(self) -> float:
        listed = json.loads((self.identity / "data" / "transforms_val.json").read_text())
        return float(listed["focal_len"])

    @cached_property
    def _room(self) -> Image:
        room: Image = cv2.imread(str(self.identity / "data" / "bc.jpg"))[..., ::-1]
        self.report.close("background_u8", room, self.ref["background_u8"], 1)
        return room

    def _torso(self, number: int) -> Image:
        path = self.identity / "data" / "torso_imgs" / f"{number}.png"
        torso: Image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)[..., [2, 1, 0, 3]]
        return torso

    def two_layers(self) -> None:
        """The larger configuration, on the inputs of one frame."""
        net, ref = self.net("gaussiantalker_2layer"), self.ref
        inputs = (ref[name][1].to(self.device) for name in ("in.audio", "in.eye", "in.cam"))
        features = net.features(self.rest.points)
        raw = moved(self.rest, net.deform(features, net.queries(features), net.tokens(*inputs)))
        for name, value, atol in zip(
            ("means", "log_scales", "rotations", "opacity_logit", "shs"),
            raw,
            (1e-5, 6e-5, 1e-4, 2e-4, 4e-5),
            strict=True,
        ):
            self.close(f"two.{name}", value, atol, axis=0)


def _cloud(now: Posed, eye: Tensor) -> Cloud:
    """What is splatted, seen from `eye`."""
    shape = covariances(now.scales, now.rotations)
    return Cloud(now.points, shape, now.opacities, colours(now.harmonics, now.points, eye))


def _named(kind: str, names: dict[str, float], values: tuple[Tensor, ...]) -> dict[str, Tensor]:
    return {f"{kind}.{name}": value for name, value in zip(names, values, strict=True)}
