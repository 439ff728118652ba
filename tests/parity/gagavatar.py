"""GAGAvatar against the original: cameras, FLAME, every network, splatting, whole frames."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor
from torch.nn.functional import interpolate

from tests.parity import fill, gaga_synth
from tests.parity.report import Report
from vcam.checkpoint import load_strict
from vcam.flame import JAW, FlameHead, FlameModel
from vcam.nets import gagavatar
from vcam.nets.gagavatar import FOCAL, GagavatarNet
from vcam.render import viewpoint
from vcam.render.forehead import VERTICES, Forehead
from vcam.render.splat.cloud import Cloud, Splatter, covariances
from vcam.render.splat.exact import ExactSplatter, flatten

SIZE = 512


def check(folder: Path, report: Report, device: str = "cpu", small: bool = False) -> None:
    """Compare with every GAGAvatar file in `folder`; `small` leaves out what needs weights."""
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    with torch.inference_mode():
        parts = Reference.open(folder, "gagavatar_parts", report)
        if parts:
            check_geometry(parts, report, device)
            if not small:
                check_networks(folder, parts, report, device)
        if raster := Reference.open(folder, "gagavatar_raster", report):
            for case in ("tiny",) if small else ("tiny", "net", "small"):
                check_raster(raster, case, report, device)
        if not small and (frames := Reference.open(folder, "gagavatar_frame", report)):
            check_frames(folder, frames, report, device)


@dataclass
class Reference:
    """The tensors of one file and the seed they were made with."""

    seed: int
    digest: str
    tensors: dict[str, Tensor]

    @classmethod
    def open(cls, folder: Path, name: str, report: Report) -> Reference | None:
        """The file, or None with a failed row when it is not there."""
        path = folder / f"{name}.safetensors"
        report.heading(name)
        if not path.is_file():
            report.missing(name)
            return None
        with safe_open(path, "pt") as file:
            info = json.loads(file.metadata()["info"])
        return cls(int(info["seed"]), info.get("filled_sha256", ""), load_file(path))

    def __getitem__(self, name: str) -> Tensor:
        return self.tensors[name]

    def under(self, prefix: str) -> Iterator[str]:
        """Names that start with `prefix`."""
        return (name for name in self.tensors if name.startswith(prefix))


def flame_head(seed: int, device: str, scale: float) -> FlameHead:
    """The synthetic person of `seed` on the synthetic FLAME of `seed`."""
    asset = {
        part: {name: torch.from_numpy(value) for name, value in entries.items()}
        for part, entries in gaga_synth.flame_asset(seed).items()
    }
    shape = torch.from_numpy(gaga_synth.tracked_entry(seed)["shapecode"])
    return FlameHead(FlameModel.build(asset), shape, scale).to(device)


def motion_of(seed: int, device: str) -> Tensor:
    return torch.from_numpy(gaga_synth.motion(seed, 6)).to(device)


def mesh(head: FlameHead, row: Tensor) -> Tensor:
    """The mesh of one motion row, as GAGAvatar poses it: jaw and expression alone."""
    rotations = row.new_zeros(5, 3)
    rotations[JAW] = row[103:]
    return head(row[:100], rotations)


def check_geometry(ref: Reference, report: Report, device: str) -> None:
    """Cameras, planes, FLAME, forehead: everything without learnt weights."""
    _check_cameras(ref, report, device)
    head = flame_head(ref.seed, device, 5.0)
    motion = motion_of(ref.seed, device)
    meshes = [mesh(head, row) for row in motion]
    report.close(
        "flame.verts_jaw_scale5", torch.stack(meshes[:3]), ref["flame.verts_jaw_scale5"], 2e-6
    )
    single = flame_head(ref.seed, device, 1.0)
    poses, eyes = ref["flame.pose_full"].to(device), ref["flame.eye"].to(device)
    full = [
        single(row[:100], torch.cat([p[:3], p.new_zeros(3), p[3:], e]).view(5, 3))
        for row, p, e in zip(motion, poses, eyes, strict=False)
    ]
    report.close("flame.verts_full_scale1", torch.stack(full), ref["flame.verts_full_scale1"], 2e-6)
    _check_forehead(ref, report, meshes, motion)


def _check_cameras(ref: Reference, report: Report, device: str) -> None:
    entry = torch.from_numpy(gaga_synth.tracked_entry(ref.seed)["transform_matrix"]).to(device)
    constant = ref["camera.emoca_to_p3d"][0].to(device)
    rotations = ref["camera.rotations"].to(device)
    cameras = [viewpoint.turned(constant, rotation) for rotation in rotations]
    report.close("camera.emoca_to_p3d", torch.stack(cameras), ref["camera.emoca_to_p3d"], 1e-5)
    views = torch.stack([_square(viewpoint.view(camera)).T for camera in cameras])
    report.close("camera.view", views, ref["camera.view"], 1e-5)
    lens = torch.diag(views.new_tensor([FOCAL, FOCAL, 100 / 99.99, 0]))
    lens[2, 3], lens[3, 2] = -1 / 99.99, 1
    report.close("camera.full_proj", views @ lens.T, ref["camera.full_proj"], 1e-5)
    report.close("camera.campos", torch.stack([c[:, 3] for c in cameras]), ref["camera.campos"], 0)
    rotation = entry[:, :3]
    points = gagavatar.plane_points(rotation, entry[:, 3], 296)
    report.close("planes.points_s499", points[::499], ref["planes.points_s499"], 1e-5)
    report.close("planes.points_mean", points.mean(0), ref["planes.points_mean"], 1e-5)
    report.close("planes.dirs", rotation[:, 2], ref["planes.dirs"], 1e-5)
    code = gagavatar.encode_direction(rotation[:, 2])
    report.close("planes.direnc", code[None], ref["planes.direnc"], 1e-5)


def _square(transform: Tensor) -> Tensor:
    return torch.cat([transform, transform.new_tensor([[0, 0, 0, 1.0]])])


def _check_forehead(
    ref: Reference, report: Report, meshes: list[Tensor], motion: Tensor
) -> list[Tensor]:
    report.equal("forehead.indices", torch.tensor(VERTICES), ref["forehead.indices"])
    forehead = Forehead(meshes[0].device)
    smooth = [forehead.smoothed(vertices.clone()) for vertices in meshes]
    stacked = torch.stack(smooth)
    report.close("forehead.points", stacked[:, VERTICES], ref["forehead.points"], 2e-6)
    report.close("forehead.other_s50", stacked[:, ::50], ref["forehead.other_s50"], 2e-6)
    entry = gaga_synth.tracked_entry(ref.seed)["transform_matrix"]
    base = torch.from_numpy(entry).to(motion.device)
    cameras = torch.stack([viewpoint.turned(base, row[100:103]) for row in motion])
    report.close("forehead.t_transform", cameras, ref["forehead.t_transform"], 1e-5)
    return smooth


def filled_net(folder: Path, ref: Reference, report: Report, device: str) -> GagavatarNet:
    """The full network with the stand-in weights of the reference, its keys checked."""
    manifest = fill.load_manifest(folder / "gagavatar.manifest.json")
    state = fill.fill_state_dict(manifest, ref.seed)
    report.equal("filled weights (sha256)", fill.state_digest(state), ref.digest)
    net = GagavatarNet()
    report.equal("state keys", sorted(net.state_dict()), sorted(manifest["tensors"]))
    load_strict(net, state, "the filled state")
    return net.eval().to(device)


def check_networks(folder: Path, ref: Reference, report: Report, device: str) -> None:
    """DINOv2, dense head, generators and StyleUNet."""
    net = filled_net(folder, ref, report, device)
    _check_identity(net, ref, report, device)
    _check_styleunet(net, ref, report, device)


def _check_identity(net: GagavatarNet, ref: Reference, report: Report, device: str) -> None:
    entry = gaga_synth.tracked_entry(ref.seed)
    photo = torch.from_numpy(entry["image"]).to(device)
    transform = torch.from_numpy(entry["transform_matrix"]).to(device)
    resized = net.resized(photo)[0, :, ::7, ::7]
    report.close("identity.f_image_s7", resized, ref["identity.f_image_s7"], 1e-5)
    normal = net.normalised(photo)
    tokens = torch.stack([t[0, ::37, ::8] for t in net.base_model.dino_model(normal)])
    report.close("dino.last4_s37_s8", tokens, ref["dino.last4_s37_s8"], 1.5e-5)
    feature, top_left = net.base_model(normal)
    report.close("dinobase.global", top_left, ref["dinobase.global"], 1.5e-5)
    report.close(
        "dinobase.feature_s8", feature[0, ::8, ::8, ::8], ref["dinobase.feature_s8"], 2.5e-5
    )
    spread = torch.stack([feature[0].mean((1, 2)), feature[0].std((1, 2))])
    report.close("dinobase.feature_mean_std", spread, ref["dinobase.feature_mean_std"], 2.5e-5)
    direction = gagavatar.encode_direction(transform[:, 2])
    for name, generator in (("l0", net.gs_generator_l0), ("l1", net.gs_generator_l1)):
        part = generator(feature, direction)
        stored = ref[f"gs.{name}_positions_s97"]
        report.close(f"gs.{name}_positions_s97", part.offset[::97], stored, 3e-5)
    _check_gaussians(net(photo, transform), ref, report, device)


def _check_gaussians(
    cloud: gagavatar.Gaussians, ref: Reference, report: Report, device: str
) -> None:
    head = gaga_synth.N_VERTS
    parts = {
        "colors": (cloud.colours, 4e-5, 4e-5),
        "opacities": (cloud.opacities, 3e-5, 3e-5),
        "scales": (cloud.scales, 2e-6, 2e-6),
        "rotations": (cloud.rotations, 2e-6, 1e-4),
    }
    for name, (values, atol_head, atol_planes) in parts.items():
        key = f"gs.{name}_head_s16"
        report.close(key, values[:head:16], ref[key], atol_head)
        key = f"gs.{name}_planes_s97"
        report.close(key, values[head:][::97], ref[key], atol_planes)
    corner = cloud.colours[head + 5 * 296 : head + 5 * 296 + 8]
    report.close("gs.l0_colors_row5_cols0_8", corner, ref["gs.l0_colors_row5_cols0_8"], 4e-5)
    turns = cloud.rotations[:head]
    report.close("gs.rot_head_colnorm", turns.norm(dim=0), ref["gs.rot_head_colnorm"], 1e-5)
    rows = turns[::16].norm(dim=1)
    report.close("gs.rot_head_rownorm_s16", rows, ref["gs.rot_head_rownorm_s16"], 2e-6)
    report.close("gs.xyz_planes_s97", cloud.plane_points[::97], ref["gs.xyz_planes_s97"], 4e-5)
    forehead = Forehead(torch.device(device))
    flame = flame_head(ref.seed, device, 5.0)
    for row in motion_of(ref.seed, device):
        vertices = forehead.smoothed(mesh(flame, row))
    report.close("gs.xyz_head_s16", vertices[::16], ref["gs.xyz_head_s16"], 2e-6)


def _check_styleunet(net: GagavatarNet, ref: Reference, report: Report, device: str) -> None:
    unet = net.upsampler
    coarse = fill.fill_array("input.styleunet.coarse", (1, 32, 32, 32), ref.seed, 0.1, 1.5)
    fine = fill.fill_array("input.styleunet.fine", (1, 32, SIZE, SIZE), ref.seed, 0.0, 0.3)
    features = interpolate(
        torch.from_numpy(coarse), (SIZE, SIZE), mode="bilinear", align_corners=False
    )
    features = (features + torch.from_numpy(fine)).to(device)
    stages = unet.encode(features)
    report.close("styleunet.style_code", stages.style_code[0], ref["styleunet.style_code"], 3e-5)
    latent = unet.stylegan_decoder.latent(stages.style_code)
    report.close("styleunet.latent", latent[0], ref["styleunet.latent"], 3e-5)
    scale0, shift6 = stages.scales[0][0, ::4], stages.shifts[6][0, :, ::16, ::16]
    report.close("styleunet.cond_scale0_s4", scale0, ref["styleunet.cond_scale0_s4"], 3e-5)
    report.close("styleunet.cond_shift6_s16", shift6, ref["styleunet.cond_shift6_s16"], 3e-5)
    picture = unet.stylegan_decoder(stages).sigmoid()[0]
    report.close("styleunet.out_s4", picture[:, ::4, ::4], ref["styleunet.out_s4"], 3e-5)
    crop = picture[:, 200:264, 200:264]
    report.close("styleunet.out_crop", crop, ref["styleunet.out_crop"], 3e-5)
    plain = unet.stylegan_decoder(stages, "none").sigmoid()[0]
    report.close(
        "styleunet.out_nonoise_s4", plain[:, ::4, ::4], ref["styleunet.out_nonoise_s4"], 3e-5
    )


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
    radii = flatten(cloud, seen, SIZE, FOCAL).radii
    for name in ref.under(f"{case}.radii"):
        ours = radii[::16] if name.endswith("_s16") else radii
        wrong = int((ours.cpu().int() != ref[name].int()).sum())
        report.at_most(f"{name} that differ", wrong, 1)
    for kind, splatter in splatters(cloud, device).items():
        features, _ = splatter.draw(cloud.points, seen)
        views = {
            f"{case}.features_crop": features[:, 232:280, 232:280],
            f"{case}.features_s2_mid": features[:, ::2, ::2][:, 64:192, 64:192],
            f"{case}.features_s8": features[:, ::8, ::8],
        }
        pairs = [(name, ours) for name, ours in views.items() if name in ref.tensors]
        for name, ours in pairs:
            compare_features(report, f"{name} {kind}", ours, ref[name], exact=kind != "gsplat")
        if kind != "gsplat":
            report.close(f"{case}.mean {kind}", features.mean((1, 2)), ref[f"{case}.mean"], 3e-6)
            report.close(f"{case}.std {kind}", features.std((1, 2)), ref[f"{case}.std"], 1e-5)


def compare_features(report: Report, name: str, ours: Tensor, theirs: Tensor, exact: bool) -> None:
    """Mean error, and how many values a threshold flip has moved (or the relative L2 error)."""
    error = ours.cpu().double() - theirs.double()
    report.at_most(f"{name} mean", float(error.abs().mean()), 3e-6 if exact else 3e-4)
    if exact:
        report.at_most(f"{name} over 1e-3", float((error.abs() > 1e-3).double().mean()), 1e-4)
    else:
        report.at_most(f"{name} rel. L2", float(error.norm() / theirs.double().norm()), 4e-3)


def check_frames(folder: Path, ref: Reference, report: Report, device: str) -> None:
    """Whole frames in float32: motion in, picture out."""
    net = filled_net(folder, ref, report, device)
    entry = gaga_synth.tracked_entry(ref.seed)
    transform = torch.from_numpy(entry["transform_matrix"]).to(device)
    gaussians = net(torch.from_numpy(entry["image"]).to(device), transform)
    head = flame_head(ref.seed, device, 5.0)
    shape = covariances(gaussians.scales, gaussians.rotations)
    rows = motion_of(ref.seed, device)
    points = torch.cat([mesh(head, rows[0]), gaussians.plane_points])
    cloud = Cloud(points, shape, gaussians.opacities[:, 0], gaussians.colours)
    splatter: Splatter = next(iter(splatters(cloud, device).values()))
    forehead = Forehead(torch.device(device))
    for index in range(sum(name.endswith("_t_transform") for name in ref.tensors)):
        camera = viewpoint.turned(transform, rows[index, 100:103])
        vertices = forehead.smoothed(mesh(head, rows[index]))
        points = torch.cat([vertices, gaussians.plane_points])
        features, _ = splatter.draw(points, viewpoint.view(camera))
        _check_frame(net, ref, report, f"frame{index}", camera, features)


def _check_frame(
    net: GagavatarNet, ref: Reference, report: Report, name: str, camera: Tensor, features: Tensor
) -> None:
    report.close(f"{name}_t_transform", camera, ref[f"{name}_t_transform"], 1e-5)
    pairs = {"crop": features[:, 240:272, 240:272], "s8": features[:, ::8, ::8]}
    for part, ours in pairs.items():
        # Not as for a raster case, whose Gaussians are given: these come out of the networks, and
        # moving plane points by 3e-8, a third of what a float32 depth resolves here, changes the
        # order of enough splats to move 2e-4 of the values by more than 1e-3.
        key = f"{name}_features_{part}"
        compare_features(report, key, ours, ref[key], exact=False)
    logits = net.upsampler.logits(features[None])[0]
    report.close(f"{name}_logits_s4", logits[:, ::4, ::4], ref[f"{name}_logits_s4"], 0.05)
    picture = logits.sigmoid()[:, ::2, ::2].cpu()
    stored = ref[f"{name}_image_s2"]
    report.close(f"{name}_image_s2", picture, stored, 5e-3)
    report.at_most(f"{name}_image_s2 mean", float((picture - stored).abs().mean()), 5e-5)


def psnr(ours: Tensor, theirs: Tensor) -> float:
    """Peak signal-to-noise ratio of pictures 0..1, in dB."""
    error = (ours.double() - theirs.double()).square().mean()
    return float(-10 * torch.log10(error)) if error > 0 else float(np.inf)
