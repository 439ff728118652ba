"""Tiny coders in place of the exact one, or of a part of it; and the reference that is kept."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tests.mouth.small import TICKS, around, face, speech_like, talk  # noqa: E402 - after the skip
from tests.mouth.test_musetalk import apart  # noqa: E402
from vcam.engine.synthetic import Synthetic  # noqa: E402
from vcam.errors import ConfigError, WeightsError  # noqa: E402
from vcam.media import Frame  # noqa: E402
from vcam.mouth.musetalk.box import FaceBox  # noqa: E402
from vcam.mouth.musetalk.coders import EXACT, TINY, manners, needed  # noqa: E402
from vcam.mouth.musetalk.features import SpeechFeatures  # noqa: E402
from vcam.mouth.musetalk.painter import MuseTalkMouth  # noqa: E402
from vcam.mouth.musetalk.reference import LIT, MOVED, Reference  # noqa: E402
from vcam.mouth.musetalk.settings import MouthSettings  # noqa: E402
from vcam.nets.musetalk import Inpainter, masked  # noqa: E402

VOICE = speech_like(2.0)
BOX = FaceBox(100.0, 100.0, 200.0, 200.0)


@pytest.fixture(scope="module")
def made_up():
    return Synthetic(small=True).musetalk()


def painter(made_up, **settings):
    """Its ear remembers 2 s, which is faster than 30."""
    mouth = MuseTalkMouth(*made_up, MouthSettings(**settings))
    mouth._speech = SpeechFeatures(made_up[1], positions=100, kept=20)
    return mouth


def latents_of(mouth, crop):
    """What the inpainter encodes a crop [1, 3, S, S] in 0..1 to."""
    inpainter = mouth._inpainter
    with torch.inference_mode():
        return inpainter.net.paired(
            inpainter._encoded(inpainter.net.views(crop), None, mouth.manner)
        )


@pytest.mark.parametrize(
    ("coder", "tiny_parts"),
    [
        ("exact", ""),
        ("tiny", "masked whole decoder"),
        ("tiny-encoder", "masked whole"),
        ("tiny-decoder", "decoder"),
        ("tiny-reference", "whole"),
    ],
)
def test_each_part_is_done_by_the_coder_that_was_chosen(made_up, coder, tiny_parts):
    net, mouth = made_up[0], painter(made_up, coder=coder)
    crop = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        by = {name: net.tiny if name in tiny_parts else net.coder for name in ("masked", "whole")}
        wanted = by["masked"].encode(masked(crop)), by["whole"].encode(crop * 2 - 1)
        torch.testing.assert_close(latents_of(mouth, crop), torch.cat(wanted, 1))
        inpainter, drawn = mouth._inpainter, torch.randn(1, 4, 8, 8)
        decode = inpainter.decode_tiny if mouth.manner.decoder else inpainter.decode
        picture = net.tiny_picture if "decoder" in tiny_parts else net.picture
        torch.testing.assert_close(decode(drawn), picture(drawn))


def test_what_is_not_used_takes_no_memory(made_up):
    net = made_up[0]
    assert needed(net, "exact").tiny is None
    assert set(needed(net, "tiny").coder.parameters()) == set(net.tiny.parameters())
    assert needed(needed(net, "tiny"), "tiny").coder is net.tiny
    assert needed(net, "auto") is net


def test_without_the_tiny_coder_it_is_not_chosen_and_says_what_to_type(made_up):
    bare = Inpainter(made_up[0].coder, made_up[0].unet)
    assert [way.name for way in manners(bare, "auto", 8)] == ["exact", "kept reference"]
    with pytest.raises(WeightsError, match="vcam models pull taesd"):
        needed(bare, "tiny-decoder")


def test_auto_begins_exact_and_knows_cheaper_ways(made_up):
    mouth = painter(made_up)
    assert mouth.manner is EXACT
    assert [way.name for way in mouth.manners] == ["exact", "kept reference", TINY.name]
    assert mouth.manners[0].lasting == 1


@pytest.mark.parametrize("wrong", [{"coder": "small"}, {"reference": 0}, {"reference": 1000}])
def test_a_wrong_choice_is_refused(wrong):
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        MouthSettings(**wrong)


def encodings(mouth, frames):
    """How many references were made for these frames."""
    made, encode = [], mouth._state.reference.made
    mouth._state.reference.made = lambda *args: (made.append(1), encode(*args))
    talk(mouth, frames, VOICE)
    assert mouth.counts.painted == len(frames) - 1  # the first is silent
    return len(made)


def test_a_still_face_needs_one_reference_in_so_many_frames(made_up):
    mouth = painter(made_up, coder="tiny", reference=2)
    assert encodings(mouth, [face()] * 6) == 3  # for the 1st, 3rd and 5th


def test_exact_makes_one_for_every_frame(made_up):
    mouth = painter(made_up, coder="exact", reference=2)
    assert mouth.manner.lasting == 1
    assert encodings(mouth, [face()] * 6) == 0  # none is kept


def test_a_kept_reference_of_the_same_picture_changes_nothing(made_up):
    kept, fresh = (painter(made_up, coder="tiny", reference=n) for n in (8, 1))
    for one, other in zip(
        talk(kept, [face()] * 6, VOICE), talk(fresh, [face()] * 6, VOICE), strict=True
    ):
        assert apart(one, other).max() <= 1  # one encoded alone rounds otherwise than two


def test_a_change_of_manner_shows_in_the_next_frame(made_up):
    mouth, exact = painter(made_up), painter(made_up, coder="exact")
    at = 4 * TICKS
    frame, sound = Frame(at, face().pixels, face().landmarks), around(VOICE, at, mouth.context)
    shown = []
    for each, way in ((mouth, mouth.manners[-1]), (exact, EXACT)):
        talk(each, [face()] * 4, VOICE)
        each.manner = way
        shown.append(each.step(frame, sound).array())
    assert (shown[0] != shown[1]).any()


def turned(by):
    """Landmarks [68, 2] that speech does not move, moved by a share of the box."""
    points = np.tile(np.linspace(110, 190, 68, dtype=np.float32)[:, None], (1, 2))
    points[17:48] += by * BOX.width
    return points


def kept(light=0.5):
    reference = Reference()
    reference.made(torch.zeros(1, 4, 8, 8), BOX, turned(0.0))
    reference.painted(torch.full((3,), light))
    return reference


def test_it_is_kept_while_the_face_is_still():
    reference = kept()
    assert reference.serves(BOX, turned(0.5 * MOVED), 8)
    assert not reference.serves(BOX, turned(1.5 * MOVED), 8)
    moved_along = FaceBox(130.0, 90.0, 230.0, 190.0)
    assert reference.serves(moved_along, turned(0.0) + np.array([30, -10], np.float32), 8)


def test_an_open_mouth_is_no_reason_to_make_it_anew():
    points = turned(0.0)
    points[48:] += 20.0
    assert kept().serves(BOX, points, 8)


def test_a_change_of_light_is_seen_a_frame_late():
    reference = kept(light=0.5)
    assert reference.serves(BOX, turned(0.0), 8)
    reference.painted(torch.tensor([0.5, 0.5, 0.5 + 1.5 * LIT]))
    assert not reference.serves(BOX, turned(0.0), 8)
    reference.made(torch.zeros(1, 4, 8, 8), BOX, turned(0.0))
    reference.painted(torch.full((3,), 0.6))
    assert reference.serves(BOX, turned(0.0), 8)


def test_it_serves_so_many_frames():
    reference = kept()
    for _ in range(2):
        assert reference.serves(BOX, turned(0.0), 3)
        reference.painted(torch.full((3,), 0.5))
    assert not reference.serves(BOX, turned(0.0), 3)
