"""GAGAvatar's pictures against the original's: every splatter alone, then whole frames."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from tests.parity import gaga_synth
from tests.parity.gaga_reference import SIZE, Reference, filled_net, flame_head, mesh, motion_of
from tests.parity.report import Report
from vcam.nets.gagavatar import FOCAL, GagavatarNet
from vcam.nets.styleunet import StyleUnet
from vcam.render.gagavatar import viewpoint
from vcam.render.gagavatar.forehead import Forehead
from vcam.render.splat.cloud import Cloud, Lens, Splatter, covariances
from vcam.render.splat.exact import ExactSplatter, flatten


def splatters(cloud: Cloud, device: str) -> dict[str, Splatter]:
    """Every splatter that works on `device`."""
    if device == "cpu":
        return {"exact": ExactSplatter(cloud, SIZE, FOCAL)}
    from vcam.render.splat.tables import TableSplatter

    found: dict[str, Splatter] = {"tables": TableSplatter(cloud, SIZE, FOCAL)}
    try:
        from vcam.render.splat.gsplat_backend import GsplatSplatter

        found["gsplat"] = GsplatSplatter(cloud, SIZE, FOCAL)
    except ImportError:
        print("gsplat is not installed here: its cross-check is left out")
    return found


def synthetic_cloud(seed: int, case: str, device: str) -> Cloud:
    """The Gaussians of a raster case."""
    sizes = {"n_head": 1500, "plane": 24} if case == "tiny" else {}
    arrays = gaga_synth.gaussians(seed, "small" if case == "small" else "net", **sizes)
    tensors = {name: torch.from_numpy(value).to(device) for name, value in arrays.items()}
    shape = covariances(tensors["scales"], tensors["rotations"])
    return Cloud(tensors["xyz"], shape, tensors["opacities"][:, 0], tensors["colors"])


def check_raster(ref: Reference, case: str, report: Report, device: str) -> None:
    """One raster case with every splatter of the device."""
    cloud = synthetic_cloud(ref.seed, case, device)
    seen = viewpoint.view(ref[f"{case}.transform"].to(device))
    radii = flatten(cloud, seen, Lens.square(SIZE, FOCAL)).radii
    for name in ref.under(f"{case}.radii"):
        ours = radii[::16] if name.endswith("_s16") else radii
        wrong = int((ours.cpu().int() != ref[name].int()).sum())
        report.at_most(f"{name} that differ", wrong, 1)
    exact: Tensor | None = None
    for kind, splatter in splatters(cloud, device).items():
        features, _ = splatter.draw(cloud.points, seen)
        _check_samples(ref, case, report, kind, features)
        if exact is None:
            exact = features.cpu()
            report.close(f"{case}.mean {kind}", features.mean((1, 2)), ref[f"{case}.mean"], 3e-6)
            report.close(f"{case}.std {kind}", features.std((1, 2)), ref[f"{case}.std"], 1e-5)
        else:
            compare_features(report, f"{case}, all pixels, {kind}", features, exact, exact=False)


def _check_samples(ref: Reference, case: str, report: Report, kind: str, features: Tensor) -> None:
    """The stored parts of the picture."""
    views = {
        f"{case}.features_crop": features[:, 232:280, 232:280],
        f"{case}.features_s2_mid": features[:, ::2, ::2][:, 64:192, 64:192],
        f"{case}.features_s8": features[:, ::8, ::8],
    }
    if kind == "gsplat":
        # It cuts off at other tiles, so it differs most at their borders, where three in four of
        # these samples lie: five times the error of all pixels, which are compared instead.
        del views[f"{case}.features_s8"]
    pairs = [(name, ours) for name, ours in views.items() if name in ref.tensors]
    for name, ours in pairs:
        compare_features(report, f"{name} {kind}", ours, ref[name], exact=kind != "gsplat")


def compare_features(report: Report, name: str, ours: Tensor, theirs: Tensor, exact: bool) -> None:
    """Mean error, and how many values a threshold flip has moved (or the relative L2 error)."""
    error = ours.cpu().double() - theirs.double()
    report.at_most(f"{name} mean", float(error.abs().mean()), 3e-6 if exact else 3e-4)
    if exact:
        report.at_most(f"{name} over 1e-3", float((error.abs() > 1e-3).double().mean()), 1e-4)
    else:
        report.at_most(f"{name} rel. L2", float(error.norm() / theirs.double().norm()), 4e-3)


def check_frames(folder: Path, ref: Reference, report: Report, device: str) -> None:
    """Whole frames, motion in, picture out: in float32, and on a GPU in half precision too."""
    net = filled_net(folder, ref, report, device)
    entry = gaga_synth.tracked_entry(ref.seed)
    transform = torch.from_numpy(entry["transform_matrix"]).to(device)
    gaussians = net(torch.from_numpy(entry["image"]).to(device), transform)
    head = flame_head(ref.seed, device, 5.0)
    shape = covariances(gaussians.scales, gaussians.rotations)
    rows = motion_of(ref.seed, device)
    points = torch.cat([mesh(head, rows[0]), gaussians.plane_points])
    cloud = Cloud(points, shape, gaussians.opacities[:, 0], gaussians.colours)
    half = None if device == "cpu" else halved(net.upsampler)
    drawn, forehead = splatters(cloud, device), Forehead(torch.device(device))
    for index in range(sum(name.endswith("_t_transform") for name in ref.tensors)):
        name = f"frame{index}"
        camera = viewpoint.turned(transform, rows[index, 100:103])
        report.close(f"{name}_t_transform", camera, ref[f"{name}_t_transform"], 1e-5)
        vertices = forehead.smoothed(mesh(head, rows[index]))
        points = torch.cat([vertices, gaussians.plane_points])
        for kind, splatter in drawn.items():
            features, _ = splatter.draw(points, viewpoint.view(camera))
            _check_frame(net, ref, report, (name, kind), features)
            if half is not None:
                _check_half(half, ref, report, (name, kind), features)


def halved(upsampler: StyleUnet) -> StyleUnet:
    """A copy as the renderer runs it on a GPU: float16, channels last, folded."""
    half = copy.deepcopy(upsampler)
    half.settle(torch.float16)
    return half


def _check_frame(
    net: GagavatarNet, ref: Reference, report: Report, what: tuple[str, str], features: Tensor
) -> None:
    name, kind = what
    pairs = {"crop": features[:, 240:272, 240:272], "s8": features[:, ::8, ::8]}
    for part, ours in pairs.items():
        # Not as for a raster case, whose Gaussians are given: these come out of the networks, and
        # moving plane points by 3e-8, a third of what a float32 depth resolves here, changes the
        # order of enough splats to move 2e-4 of the values by more than 1e-3.
        key = f"{name}_features_{part}"
        compare_features(report, f"{key} {kind}", ours, ref[key], exact=False)
    logits = net.upsampler.logits(features[None])[0]
    if kind != "gsplat":  # whose rules differ: its pictures are compared, not what saturates
        stored = ref[f"{name}_logits_s4"]
        report.close(f"{name}_logits_s4 {kind}", logits[:, ::4, ::4], stored, 0.05)
    picture = logits.sigmoid()[:, ::2, ::2].cpu()
    stored = ref[f"{name}_image_s2"]
    report.close(f"{name}_image_s2 {kind}", picture, stored, 5e-3)
    report.at_most(f"{name}_image_s2 {kind} mean", float((picture - stored).abs().mean()), 5e-5)


def _check_half(
    half: StyleUnet, ref: Reference, report: Report, what: tuple[str, str], features: Tensor
) -> None:
    name, kind = what
    picture = half(features[None].half())[0, :, ::2, ::2].float().cpu()
    stored = ref[f"{name}_image_s2"]
    report.at_most(f"{name}_image_s2 {kind} half: 50 dB - PSNR", 50 - psnr(picture, stored), 0.0)
    steps = (255 * picture).round() - (255 * stored).round()
    report.at_most(f"{name}_image_s2 {kind} half: steps", float(steps.abs().max()), 10)


def psnr(ours: Tensor, theirs: Tensor) -> float:
    """Peak signal-to-noise ratio of pictures 0..1, in dB."""
    error = (ours.double() - theirs.double()).square().mean()
    return float(-10 * torch.log10(error)) if error > 0 else float(np.inf)
