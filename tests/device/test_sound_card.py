"""A real ALSA sound card without a sound server: the loopback card of the test machine."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import write_wav
from vcam.audio import portaudio
from vcam.audio.microphone import Microphone, list_microphones
from vcam.errors import DeviceError
from vcam.media import TICKS_PER_SECOND, FloatArray

pytestmark = pytest.mark.device
CARD, EAR = "Loopback", "hw:0,1"  # what is played into hw:Loopback,0 is heard at hw:Loopback,1
SUBDEVICES = 8


@pytest.fixture(autouse=True)
def _card() -> None:
    if not Path(f"/proc/asound/{CARD}").exists():
        pytest.skip(f"no sound card {CARD} here; sudo modprobe snd-aloop")
    if shutil.which("aplay") is None:
        pytest.skip("no aplay here; sudo apt install alsa-utils")
    if portaudio.server_name():
        pytest.skip("a sound server holds the sound cards here")


@contextlib.contextmanager
def playing(path: Path, rate: int) -> Iterator[None]:
    """Play 1 kHz into the card at `rate`, which the other end must then use too."""
    times = np.arange(20 * rate) / rate
    write_wav(path, (0.5 * np.sin(2 * np.pi * 1000 * times)).astype(np.float32), rate)
    player = subprocess.Popen(["aplay", "-q", "-D", f"hw:{CARD},0,0", str(path)])
    time.sleep(0.5)
    try:
        yield
    finally:
        player.kill()
        player.wait()


@pytest.mark.parametrize("rate", [48_000, 44_100])
def test_a_card_is_heard_at_its_own_rate(
    tmp_path: Path, rate: int, capfd: pytest.CaptureFixture[str]
) -> None:
    """44.1 kHz is resampled without a seam: the tone stays one line in the spectrum."""
    blocks: list[FloatArray] = []
    enough = threading.Event()

    def hear(samples: FloatArray) -> None:
        blocks.append(samples)
        if len(blocks) == 250:
            enough.set()

    with playing(tmp_path / "a.wav", rate):
        source = Microphone(EAR, hear)
        source.start()
        try:
            assert enough.wait(30)
        finally:
            source.close()
    sound = np.concatenate(blocks)[-TICKS_PER_SECOND:]
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound))))
    assert int(spectrum.argmax()) == 1000
    assert spectrum[1010:].max() < 1e-3 * spectrum.max()
    assert abs(float(np.abs(sound).max()) - 0.5) < 0.02
    assert capfd.readouterr().err == ""  # PortAudio does not grumble over the HUD


def test_a_busy_card_is_refused_in_one_line(capfd: pytest.CaptureFixture[str]) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(SUBDEVICES):
            source = Microphone(EAR, lambda _: None)
            source.start()
            stack.callback(source.close)
        with pytest.raises(DeviceError, match=r"does not open .* stop the program that holds it"):
            Microphone(EAR, lambda _: None).start()
    assert capfd.readouterr().err == ""


def test_cards_are_listed_without_alsas_converters() -> None:
    names = [found.name for found in list_microphones()]
    assert names[0] == "default"
    assert any(CARD in name for name in names)
    assert not {"lavrate", "speex", "upmix", "surround21"} & set(names)
