"""GAGAvatar against the original: cameras, FLAME, every network; splatting and frames beside it."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from tests.parity import fill, gaga_synth
from tests.parity.gaga_frames import check_frames, check_raster
from tests.parity.gaga_reference import SIZE, Reference, filled_net, flame_head, mesh, motion_of
from tests.parity.report import Report
from vcam.nets import gagavatar
from vcam.nets.gagavatar import FOCAL, GagavatarNet
from vcam.render.gagavatar import viewpoint
from vcam.render.gagavatar.forehead import VERTICES, Forehead


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
