"""ARTalk over whole clips at a time, for the study of talk mode: what is decoded, and how."""

from __future__ import annotations

import wave
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from studies.motion.faces import FlameReader, PlainReader, Reader, SyntheticReader
from torch import Tensor

from vcam.audio.resample import Decimator
from vcam.audio.vad import VoiceActivity
from vcam.gpu.cuda_graph import cuda_graph
from vcam.media import FloatArray, frame_ticks
from vcam.motion.artalk.fast import FastDecoder
from vcam.motion.artalk.loudness import Loudness
from vcam.motion.artalk.modes import FPS, live_decoder
from vcam.motion.artalk.sliding import Stitcher, TalkSettings, naive
from vcam.motion.head_pose import FaceBasis, HeadPose
from vcam.nets.artalk import EXPRESSION, JAW, MOTION, SAMPLES, ArtalkNet, SpeechEncoder
from vcam.nets.artalk_proxy import SyntheticFace, load_proxy
from vcam.tensors.checkpoint import read_state

HOP = SAMPLES // 100
LEAD = 200  # frames of a clip that are not measured: 8 s
HOPS = ((1, 1), (1, 2), (1, 3), (1, 4), (2, 1), (2, 2), (4, 2), (8, 2), (25, 0))
TALK = TalkSettings()
Decode = Callable[..., Tensor]


@dataclass(frozen=True)
class Subject:
    """A network, sound for it, and how its motion is read."""

    net: ArtalkNet
    audio: FloatArray  # [N, samples], 16 kHz
    truth: FloatArray | None  # [N, T, 106]
    reader: Reader


def stand_in(folder: Path, most: int) -> Subject:
    """What scripts/train/proxy wrote, with `most` of its test clips."""
    face = SyntheticFace()
    face.load_state_dict(read_state(folder / "face.pt"))
    net = load_proxy(folder / "proxy.pt")
    audio, truth = _clips(folder / "audio", folder / "truth", most)
    return Subject(net, audio, truth, SyntheticReader(face))


def released(
    weights: Path,
    audio: Path,
    truth: Path | None,
    flame: Path | None,
    lips: Path | None,
    most: int,
) -> Subject:
    """The released network on `most` recordings of the folder `audio`, read by a FLAME file or by
    the matrix in `lips`."""
    net = ArtalkNet.load(weights)
    sound, motion = _clips(audio, truth, most)
    plain = PlainReader(net.basic_vae.motion_std, lips)
    return Subject(net, sound, motion, FlameReader(flame) if flame else plain)


def _clips(audio: Path, truth: Path | None, most: int) -> tuple[FloatArray, FloatArray | None]:
    """Clips cut to the shortest's length, and their motion."""
    paths = sorted(audio.glob("*.wav"))[:most]
    if not paths:
        raise SystemExit(f"no WAV files in {audio}")
    clips = [read_sound(path) for path in paths]
    length = min(map(len, clips)) // HOP * HOP
    sound = np.stack([clip[:length] for clip in clips])
    if truth is None:
        return sound, None
    return sound, np.stack([np.load(truth / f"{p.stem}.npy")[: length // HOP] for p in paths])


def read_sound(path: Path) -> FloatArray:
    """A mono 16-bit WAV of 16 or 48 kHz as [n] at 16 kHz."""
    with wave.open(str(path)) as file:
        rate, raw = file.getframerate(), file.readframes(file.getnframes())
    samples = np.frombuffer(raw, "<i2").astype(np.float32) / np.float32(32768)
    if rate not in (16_000, 48_000):
        raise SystemExit(f"{path} is at {rate} Hz; convert it to 16 or 48 kHz")
    return samples if rate == 16_000 else Decimator().step(samples)[Decimator.delay // 3 :]


class Decoder:
    """A network on its device, and how it decodes clips."""

    def __init__(self, net: ArtalkNet, device: torch.device, eager: bool) -> None:
        self.net, self.device, self.eager = net.to(device), device, eager
        self._decoders: dict[tuple[int, int], Decode] = {}

    @torch.inference_mode()
    def chunked(self, audio: FloatArray) -> FloatArray:
        """Upstream's way, in float32: [N, samples] -> [N, T, 106]."""
        frames = audio.shape[1] // HOP
        sound = torch.from_numpy(np.pad(audio, ((0, 0), (0, -audio.shape[1] % SAMPLES))))
        past, style = torch.zeros(len(audio), 100, MOTION, device=self.device), self.net.style(None)
        motions = []
        for chunk in sound.to(self.device).split(SAMPLES, dim=1):
            past = self.net.decode(chunk, past, style)
            motions.append(past.cpu().numpy())
        return np.concatenate(motions, axis=1)[:, :frames]

    @torch.inference_mode()
    def slid(self, audio: FloatArray, settings: TalkSettings, floors: FloatArray) -> FloatArray:
        """Talk mode over whole clips at a time: [N, samples], floors [N, T] -> [N, T, 106].

        The last `look_ahead` frames have no sound after them: the sound is continued by silence.
        """
        frames, hop = audio.shape[1] // HOP, settings.hop
        sound = torch.from_numpy(
            np.pad(audio, ((0, 0), (SAMPLES, HOP * (settings.behind + hop))))
        ).to(self.device)
        decode, style = self.decoder(settings.soft_levels, len(audio)), self.net.style(None)
        stitcher, shown = Stitcher(settings, (len(audio),)), []
        for first in range(0, frames, hop):
            end = first + settings.behind
            window = sound[:, HOP * end : HOP * end + SAMPLES]
            floor = torch.from_numpy(floors[:, min(end, frames) - 1 : min(end, frames)].copy())
            past = torch.from_numpy(np.ascontiguousarray(stitcher.past()))
            motion = decode(window, past.to(self.device), style, floor.to(self.device))
            shown.append(stitcher.join(motion.cpu().numpy()))
        return np.concatenate(shown, axis=1)[:, :frames]

    def decoder(self, soft: int, voices: int) -> Decode:
        """The decoding of one window of so many voices, kept: a graph has one shape."""
        key = (soft, voices)
        if key not in self._decoders:
            fast = self.fast(soft, not self.eager, voices)
            self._decoders[key] = cuda_graph(fast.decode, self.device.type == "cuda")
        return self._decoders[key]

    def fast(self, soft: int, compiled: bool, voices: int = 1) -> FastDecoder:
        """The decoder as it runs live; the stand-in stays in float32."""
        with torch.inference_mode(False):
            if isinstance(self.net.audio_encoder, SpeechEncoder):
                return live_decoder(self.net, soft, self.device, compiled, fused=voices == 1)
            return FastDecoder(self.net, self.device, torch.float32, compiled=False, soft=soft)


@dataclass(frozen=True)
class Heard:
    """What the stage would know of loudness after each frame of sound, [N, T] each."""

    floors: FloatArray  # the least deviation to divide a window by
    quiet: FloatArray  # frames since the last voice


def listened(audio: FloatArray, settings: TalkSettings) -> Heard:
    """Hear the clips [N, samples] as the stage does."""
    heard = Heard(*np.zeros((2, len(audio), audio.shape[1] // HOP), np.float32))
    for index, clip in enumerate(audio):
        loudness, activity = Loudness(settings.loudness_floor), VoiceActivity()
        sound = np.concatenate([np.zeros(SAMPLES, np.float32), clip])
        for frame in range(heard.floors.shape[1]):
            end = SAMPLES + HOP * (frame + 1)
            voiced = any(activity.step(sound[end - HOP : end]))
            loudness.step(sound[end - SAMPLES : end], voiced)
            heard.floors[index, frame], heard.quiet[index, frame] = loudness.floor, loudness.quiet
    return heard


def poised(motion: FloatArray, quiet: FloatArray, basis: FaceBasis | None) -> FloatArray:
    """Decoded motion [N, T, 106] of talk mode as the stage shows it: mouth at rest in silence,
    blinks. `quiet` [N, T] as `listened` found it."""
    shown = motion.copy()
    for index, clip in enumerate(motion):
        head_pose = HeadPose(TALK, index, basis)
        for frame, numbers in enumerate(clip):
            newest = min(frame + TALK.behind, len(clip)) - 1
            silence = (quiet[index, newest] - TALK.behind + 1) / FPS
            face = head_pose.step(frame * frame_ticks(FPS), numbers, float(silence)).face
            shown[index, frame, EXPRESSION], shown[index, frame, JAW] = face.expression, face.jaw
    return shown


def modes() -> dict[str, TalkSettings]:
    """Every way to slide that the study compares."""
    found = {f"newest ({h},{ahead})": naive(h, ahead) for h, ahead in HOPS}
    found |= {f"talk ({h},{ahead})": replace(TALK, hop=h, look_ahead=ahead) for h, ahead in HOPS}
    for rate in (0.2, 0.7):
        found[f"talk (1,2) w={rate}"] = replace(TALK, stitch_rate=rate)
    found["talk (1,2) 3 soft levels"] = replace(TALK, soft_levels=3)
    found["talk (1,2) hard bits"] = replace(TALK, soft_levels=0)
    found["talk (1,2) face spring 0.5"] = replace(TALK, face_half_life=0.5)
    return found
