"""MuseTalk against the original's stored tensors: speech features, image VAE, UNet, paste."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor

from tests.parity import fill
from tests.parity.report import Report
from vcam.mouth.musetalk import original
from vcam.nets import musetalk as nets

TABLE = "embed_positions.weight"
LOG_MEL, STATES, MEAN, UNET = 1e-4, 5e-5, 1e-4, 5e-5
ANGLES = 1e-4  # position 1499 in float32, whose own spacing there is 1.2e-4
DECODED_ALONE, DECODED, STEPS, STEPPED = 5e-6, 2e-5, 1, 1e-3


def check(folder: Path, report: Report, device: str = "cpu", small: bool = False) -> None:
    """Run every MuseTalk file in `folder`; `small`: only the small variant."""
    for name in ("musetalk_small",) if small else ("musetalk_small", "musetalk"):
        if (folder / f"{name}.safetensors").exists():
            with torch.inference_mode():
                _Variant(folder, name, report, torch.device(device)).run()


def filled(folder: Path, name: str, seed: int) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The config of a manifest and its state dict drawn from `seed`."""
    manifest = fill.load_manifest(folder / f"{name}.manifest.json")
    table = manifest["tensors"].get(TABLE)
    constructed = table and {TABLE: nets.whisper_positions(*table["shape"])}
    return manifest["config"], fill.fill_state_dict(manifest, seed, constructed)


def released_spelling(folder: Path, name: str, state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same state under the names of the released file."""
    tensors = fill.load_manifest(folder / f"{name}.manifest.json")["tensors"]
    return {tensors[key].get("checkpoint_key", key): value for key, value in state.items()}


def pixels(crop_bgr: np.ndarray) -> Tensor:
    """crop [S, S, 3] BGR uint8 -> [1, 3, S, S] RGB in 0..1, divided in float64 as upstream."""
    rgb = np.ascontiguousarray(crop_bgr[..., ::-1].transpose(2, 0, 1))
    return torch.from_numpy((rgb / 255.0).astype(np.float32))[None]


def finished(decoded: Tensor) -> np.ndarray:
    """Decoder output [3, S, S] in -1..1 -> [S, S, 3] BGR uint8, rounded to nearest even."""
    unit = (decoded / 2 + 0.5).clamp(0, 1)
    return (unit * 255).round().byte().permute(1, 2, 0).cpu().numpy()[..., ::-1]


class _Variant:
    """One file of reference tensors and the three manifests it was made with."""

    def __init__(self, folder: Path, name: str, report: Report, device: torch.device) -> None:
        self.folder, self.name, self.report, self.device = folder, name, report, device
        self.stored = load_file(folder / f"{name}.safetensors")
        with safe_open(folder / f"{name}.safetensors", "np") as file:
            self.info = json.loads(file.metadata()["info"])

    def run(self) -> None:
        """Every part, each on the stored input of that part."""
        self.report.heading(f"{self.name}, seed {self.info['seed']}")
        self._speech()
        self._image()
        if "frame_bgr" in self.stored:
            self._paste()

    def _part(self, part: str) -> tuple[dict[str, Any], dict[str, Tensor]]:
        config, state = filled(self.folder, f"{self.name}_{part}", self.info["seed"])
        digest = fill.state_digest({key: state[key] for key in state if key != TABLE})
        self.report.equal(f"{part} weights", digest, self.info["digests"][part])
        return config, released_spelling(self.folder, f"{self.name}_{part}", state)

    def _close(self, name: str, got: Tensor, atol: float, part: str | None = None) -> None:
        self.report.close(name, got, self.stored[part or name], atol)

    def _speech(self) -> None:
        config, state = self._part("whisper")
        table = nets.whisper_positions(config["max_source_positions"], config["d_model"])
        rows = table[[0, 1, 2, 100, 749, 1499]]
        self._close("whisper_embed_table_rows", rows, ANGLES)
        encoder = nets.build_speech(config, state).to(self.device)
        samples = self.stored["audio_i16"].float() / 32768
        padded = torch.nn.functional.pad(samples, (0, nets.SEGMENT - len(samples)))[None]
        mel = nets.LogMel(config["num_mel_bins"]).to(self.device)(padded.to(self.device))
        self._close("log_mel_first500", mel[0, :, :500], LOG_MEL)
        self._close("log_mel_last100", mel[0, :, -100:], LOG_MEL)
        states = encoder(mel)[0]
        first = len(self.stored["whisper_states_first"])
        self._close("whisper_states_first", states[:first], STATES)
        self._close("whisper_states_last4", states[-4:], STATES)
        self._windows(states[: len(samples) * 50 // nets.SAMPLE_RATE], len(samples))

    def _windows(self, states: Tensor, samples: int) -> None:
        for fps in (25, 30):
            self.report.equal(
                f"frames at {fps}",
                samples * fps // nets.SAMPLE_RATE,
                self.info[f"n_frames_{fps}"],
            )
            frames = self.stored[f"chunk_index_{fps}"].tolist()
            windows = [nets.speech_window(states, frame * 50 // fps) for frame in frames]
            self._close(f"chunks_{fps}", torch.stack(windows), STATES)
        frames = self.stored["unet_cond_frames"].tolist()
        tokens = torch.stack([nets.speech_window(states, frame * 2) for frame in frames])
        self._close(
            "unet_cond", tokens + nets.token_positions(*tokens.shape[1:]).to(tokens), STATES
        )

    def _image(self) -> None:
        coder = nets.build_coder(*self._part("vae")).to(self.device)
        crop = pixels(self.stored["crop_bgr"].numpy()).to(self.device)
        for name, picture in (("masked", nets.masked(crop)), ("unmasked", (crop - 0.5) / 0.5)):
            mean, logvar = coder.moments(picture)
            self._close(f"{name}.pixels", picture[0, :, ::16, ::16], 1e-6, f"{name}.pixels_every16")
            self._close(f"{name}.mean", mean[0], MEAN)
            self._close(f"{name}.logvar", logvar[0], MEAN)
        alone = coder.decode(self._to("vae_decode_latents")[None] * coder.scale)[0]
        step = alone.shape[1] // self.stored["vae_decode_out"].shape[1]
        self._close("vae_decode_out", alone[:, ::step, ::step], DECODED_ALONE)
        self._unet(coder, crop)

    def _unet(self, coder: nets.ImageCoder, crop: Tensor) -> None:
        unet = nets.build_unet(*self._part("unet")).to(self.device)
        net = nets.Inpainter(coder, unet)
        self._close("unet_latents_crop", net.latents(crop), MEAN * coder.scale)
        out = unet(self._to("unet_latents"), self._to("unet_cond"))
        self._close("unet_out", out, UNET)
        decoded = coder.decode(out[:1])[0]
        self._close("decoded_float", decoded, DECODED)
        self._steps("decoded_bgr_u8", finished(decoded))
        free = net(crop, self._to("unet_cond")[:1])[0] * 2 - 1
        self._steps("crop to picture, free running", finished(free))

    def _steps(self, name: str, got: np.ndarray) -> None:
        wrong = np.abs(got.astype(int) - self.stored["decoded_bgr_u8"].numpy())
        self.report.at_most(f"{name}: largest step", float(wrong.max()), STEPS)
        self.report.at_most(f"{name}: share off", float((wrong > 0).mean()), STEPPED)

    def _to(self, name: str) -> Tensor:
        return self.stored[name].to(self.device)

    def _paste(self) -> None:
        classes, frame = self._picture("label_map"), self._picture("frame_bgr")
        masks = {mode: original.class_mask(classes, mode) for mode in ("raw", "neck", "jaw")}
        for mode, mask in masks.items():
            self.report.equal(f"parsing_{mode}", mask, self.stored[f"parsing_{mode}"])
        for place in ("inside", "edge"):
            self._paste_into(frame, place, masks)

    def _paste_into(self, frame: np.ndarray, place: str, masks: dict[str, np.ndarray]) -> None:
        stored, face = self.stored, self._picture("decoded_bgr_u8")
        left, top, right, bottom = box = tuple(stored[f"{place}.box"].tolist())
        same = self.report.equal
        same(f"{place}.crop_box", original.expanded_box(box), stored[f"{place}.crop_box"])
        side = stored[f"{place}.crop_lanczos"].shape[0]
        crop = original.crop_face(frame, box, side)
        same(f"{place}.crop_lanczos", crop, stored[f"{place}.crop_lanczos"])
        for mode in ("jaw", "raw"):
            mask = original.feathered(masks[mode], box)
            same(f"{place}.{mode}.mask", mask, stored[f"{place}.{mode}.mask"])
            blended = original.paste_face(frame, face, box, mask)
            same(f"{place}.{mode}.blended", blended, stored[f"{place}.{mode}.blended"])
        square = original.expanded_box(box)
        everywhere = np.full((square[3] - square[1], square[2] - square[0]), 255, np.uint8)
        resized = original.paste_face(frame, face, box, everywhere)[top:bottom, left:right]
        same(f"{place}.face_resized", resized, stored[f"{place}.face_resized"])
        mask = original.feathered(masks["jaw"], box, original.OFFLINE_BLUR)
        blended = original.paste_face(frame, face, box, mask)
        same(f"{place}.jaw.offline_blended", blended, stored[f"{place}.jaw.offline_blended"])

    def _picture(self, name: str) -> np.ndarray:
        picture: np.ndarray = self.stored[name].numpy()
        return picture
