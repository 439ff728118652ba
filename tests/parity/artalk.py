"""ARTalk against the reference tensors: parts, forced stages and free running."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor

from tests.parity import fill
from tests.parity.report import Report
from vcam.motion.artalk.savgol import smooth
from vcam.nets.artalk import (
    ENDS,
    LEVELS,
    SAMPLES,
    ArtalkConfig,
    ArtalkNet,
    Past,
    SpeechConfig,
    normalise,
    signs,
)

HERE = Path(__file__).parent.parent / "data" / "parity"  # manifests, for folders without their own
MOTION_TOL, LOGITS_TOL, FEATURES_TOL, STYLE_TOL, CODEC_TOL = 2e-5, 2e-4, 1.5e-5, 1e-5, 2e-5


def check(folder: Path, report: Report, device: str = "cpu", small: bool = False) -> None:
    """Compare with every `artalk*.safetensors` of `folder`; `small` leaves out the full size."""
    for path in sorted(folder.glob("*artalk*.safetensors")):
        if "constructed" in path.stem or (small and "small" not in path.stem):
            continue
        with torch.inference_mode():
            _check_file(path, report, torch.device(device))


def _check_file(path: Path, report: Report, device: torch.device) -> None:
    with safe_open(path, "pt") as file:
        stored = {name: file.get_tensor(name).to(device) for name in file.keys()}  # noqa: SIM118
        metadata = file.metadata()
    info = json.loads(metadata.get("info", "{}"))
    seed = int(info.get("seed", metadata.get("seed", -1)))
    report.heading(f"{path.name} (seed {seed})")
    is_parts = "pair.encoder_out" in stored
    net, digest = build(path, seed, "basic_vae. style_encoder." if is_parts else "")
    net.to(device)
    if "filled_sha256" in info:
        report.equal("filled weights", digest, info["filled_sha256"])
    rows = Rows(report, stored)
    (_check_parts if is_parts else _check_run)(net, rows)
    rows.finish()


class Rows:
    """The stored tensors; each is compared once, and none may be left over."""

    def __init__(self, report: Report, stored: dict[str, Tensor]) -> None:
        self.report, self.stored = report, stored
        self.left = set(stored)

    def __getitem__(self, name: str) -> Tensor:
        self.left.discard(name)
        return self.stored[name]

    def __contains__(self, name: str) -> bool:
        return name in self.stored

    def close(self, name: str, got: Tensor, atol: float) -> None:
        """Compare with the entry `name`, its `_everyN` (rows; columns where channels come first),
        or nothing when there is neither."""
        for entry in [name, *(key for key in self.stored if key.startswith(f"{name}_every"))]:
            if entry in self.stored:
                step = int(entry.removeprefix(f"{name}_every")) if entry != name else 1
                rows = got[::step] if len(self[entry]) != len(got) else got[..., ::step]
                self.report.close(entry, rows, self[entry], atol)

    def equal(self, name: str, got: Tensor) -> None:
        if name in self.stored:
            self.report.equal(name, got.to(torch.int8), self[name])

    def finish(self) -> None:
        for name in sorted(self.left):
            self.report.missing(name)


def config_of(manifest: dict) -> ArtalkConfig:
    """Our configuration for the sizes a manifest names."""
    codec, speech = manifest["config"]["artalk"]["VAE_CONFIG"], manifest["config"]["wav2vec2"]
    return ArtalkConfig(
        depth=manifest["config"]["artalk"]["AR_CONFIG"]["T_DEPTH"],
        heads=manifest["config"]["artalk"]["AR_CONFIG"]["T_NUM_HEADS"],
        codec_depth=codec["T_DEPTH"],
        codec_heads=codec["T_NUM_HEADS"],
        codec_width=codec["T_HIDDEN_DIM"],
        speech=SpeechConfig(
            channels=speech["conv_dim"][0],
            width=speech["hidden_size"],
            layers=speech["num_hidden_layers"],
            heads=speech["num_attention_heads"],
            hidden=speech["intermediate_size"],
            position_kernel=speech["num_conv_pos_embeddings"],
            position_groups=speech["num_conv_pos_embedding_groups"],
        ),
    )


def manifest_for(path: Path) -> dict:
    """The manifest of the network a file was made with: the small one or the released size."""
    name = "artalk_small.manifest.json" if "small" in path.stem else "artalk.manifest.json"
    beside = path.parent / name
    return fill.load_manifest(beside if beside.exists() else HERE / name)


def filled(manifest: dict, seed: int, net: ArtalkNet, folder: Path, prefixes: str = "") -> dict:
    """The state dict of `seed`; tensors that the network constructs are its own."""
    ours = net.state_dict()
    stored = folder / "artalk_constructed.safetensors"
    with safe_open(stored if stored.exists() else HERE / stored.name, "pt") as file:
        for name in file.keys():  # noqa: SIM118 - not a dict
            ours[name] = file.get_tensor(name)
            ours[name.replace("basic_vae", "style_encoder")] = file.get_tensor(name)
    wanted = prefixes.split() or [""]
    keys = [key for key in manifest["tensors"] if any(map(key.startswith, wanted))]
    return ours | fill.fill_state_dict(manifest, seed, constructed=ours, keys=keys)


def build(path: Path, seed: int, prefixes: str = "") -> tuple[ArtalkNet, str]:
    """The network of a reference file, and the digest of its weights."""
    manifest = manifest_for(path)
    net = ArtalkNet(config_of(manifest)).eval().requires_grad_(False)
    state = filled(manifest, seed, net, path.parent, prefixes)
    net.fill(state, path.name)
    drawn = {k: state[k] for k, e in manifest["tensors"].items() if e["kind"] == "filled"}
    return net, fill.state_digest(drawn) if not prefixes else ""


def _check_parts(net: ArtalkNet, rows: Rows) -> None:
    codec = net.basic_vae
    past, present = rows["prev_motion"][None], rows["this_motion"][None]
    pair = codec.encode(torch.cat([past, present], dim=1))
    rows.close("pair.encoder_out", pair[0], CODEC_TOL)
    rows.equal("prev_bits", codec.quantise(pair[:, :100])[0])
    rows.equal("this_bits", codec.quantise(pair[:, 100:])[0])
    for name, motion in (("prev_only", past), ("zero", torch.zeros_like(past))):
        alone = codec.encode(motion)
        rows.close(f"{name}.encoder_out", alone[0], CODEC_TOL)
        rows.equal(
            f"{name}_bits" if name != "zero" else "zero_motion_bits", codec.quantise(alone)[0]
        )
    _check_features(net, rows)
    _check_style(net, rows)
    for name in [key for key in rows.stored if key.startswith("savgol_in_")]:
        smoothed = smooth(rows[name].cpu().numpy())
        rows.close(name.replace("_in_", "_out_"), torch.from_numpy(smoothed), 1e-5)


def _check_features(net: ArtalkNet, rows: Rows) -> None:
    codec = net.basic_vae
    values = signs(rows["rand_prev_bits"][None] > 0)
    this = codec.features(signs(rows["rand_this_bits"][None] > 0))
    features = codec.features(values)
    rows.close("rand_feat", features[0], CODEC_TOL)
    rows.close("rand_ms_vqfeat", codec.inputs(values)[0], CODEC_TOL)
    for level in range(len(LEVELS) - 1):
        name = f"rand_ar_vqfeat_{level}"
        rows.close(name, codec.inputs(values[:, : ENDS[level]], level)[0], CODEC_TOL)
    rows.close("dec_this_motion", codec.decode(features, this)[0], MOTION_TOL)
    joint = codec.decoder(torch.cat([features, this], 1) + codec.dec_pos_embed, codec.attn_mask)
    past = joint[0, :100] * codec.motion_std + codec.motion_mean
    rows.close("dec_prev_motion", past, MOTION_TOL)


def _check_style(net: ArtalkNet, rows: Rows) -> None:
    for name in [key for key in rows.stored if key.startswith("style_in_")]:
        clip = rows[name]
        out = name.replace("_in_", "_out_")
        rows.close(out, net.style_encoder(clip[None])[0], STYLE_TOL)
        if f"{out}_reversed" in rows:
            rows.close(f"{out}_reversed", net.style_encoder(clip.flip(0)[None])[0], STYLE_TOL)


def _check_run(net: ArtalkNet, rows: Rows) -> None:
    clip = rows["style_motion"][None]
    rows.close("style.feat", net.style_encoder(clip), STYLE_TOL)
    rows.close("style.cond", net.style(clip), STYLE_TOL)
    heard: list[Tensor] = []
    for run in ("style", "nostyle"):
        name = f"{run}.audio_i16" if f"{run}.audio_i16" in rows else "audio_i16"
        if name not in rows:
            continue
        chunks = _chunks(rows[name])
        if run == "style":  # the stored features are of this run's sound
            heard = [_check_sound(net, rows, index, chunk) for index, chunk in enumerate(chunks)]
        elif name != "audio_i16":
            heard = [net.listen(normalise(chunk[None])) for chunk in chunks]
        style = net.style(clip if run == "style" else None)
        forced = _check_forced(net, rows, run, style, heard)
        _check_free(net, rows, run, style, heard, len(rows.stored[name]), forced)


def _chunks(audio: Tensor) -> list[Tensor]:
    sound = audio.float() / 32768
    padded = torch.nn.functional.pad(sound, (0, -len(sound) % SAMPLES))
    return list(padded.split(SAMPLES))


def _check_sound(net: ArtalkNet, rows: Rows, index: int, chunk: Tensor) -> Tensor:
    features = net.audio_encoder.feature_extractor(normalise(chunk[None]))
    rows.close(f"chunk{index}.conv_features", features[0], FEATURES_TOL)
    encoded = net.audio_encoder.encode(features)
    rows.close(f"chunk{index}.audio_features", encoded[0], FEATURES_TOL)
    pooled = net.pool_sound(encoded)
    rows.close(f"chunk{index}.audio_cond_first31", pooled[0, :31], FEATURES_TOL)
    rows.close(f"chunk{index}.audio_cond_rest", pooled[0, 31:], FEATURES_TOL)
    return pooled


def _check_forced(
    net: ArtalkNet, rows: Rows, run: str, style: Tensor, heard: list[Tensor]
) -> list[Tensor]:
    """Every pass fed with the stored bits before it; gives the motion of the stored bits."""
    motions = []
    for index, condition in enumerate(heard):
        prefix = f"{run}.chunk{index}"
        codec, bits = net.basic_vae, rows.stored[f"{prefix}.bits"][None] > 0
        before = signs(rows.stored[f"{prefix}.prev_bits"][None] > 0)
        past = Past(before > 0, codec.features(before), codec.inputs(before))
        context = net.context(style, past)
        for level in range(len(LEVELS)):
            seen = codec.inputs(signs(bits), level - 1) if level else None
            got = net.logits(net.sequence(style, seen), context, condition)[0]
            rows.close(f"{prefix}.level{level}.logits", got, LOGITS_TOL)
        motions.append(codec.decode(past.features, codec.features(signs(bits)))[0])
    return motions


def _check_free(
    net: ArtalkNet,
    rows: Rows,
    run: str,
    style: Tensor,
    heard: list[Tensor],
    samples: int,
    forced: list[Tensor],
) -> None:
    """Sound in, motion out: our own bits all the way."""
    codec = net.basic_vae
    motion, motions = torch.zeros_like(forced[0])[None], []
    for index, condition in enumerate(heard):
        past = codec.past(motion)
        rows.equal(f"{run}.chunk{index}.prev_bits", past.bits[0])
        generated = net.generate(condition, style, past)
        rows.equal(f"{run}.chunk{index}.bits", generated.bits[0])
        motion = codec.decode(past.features, generated.features)
        motions.append(motion[0])
    raw = torch.cat(motions)[: -(-samples * 25 // 16000)]
    forced_raw = torch.cat(forced)[: len(raw)]
    rows.close(f"{run}.motions", raw, MOTION_TOL)
    rows.report.close(f"{run}.motions, forced bits", forced_raw, rows[f"{run}.motions"], MOTION_TOL)
    smoothed = torch.from_numpy(smooth(raw.cpu().numpy()))
    rows.close(f"{run}.motions_smoothed", smoothed, MOTION_TOL)
    smoothed[:, 104:] = 0
    rows.close(f"{run}.motions_final", smoothed, MOTION_TOL)
