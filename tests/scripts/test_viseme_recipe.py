"""What trains and scores the viseme network: recordings, hearing conditions, scores, the export."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.append(str(Path(__file__).parents[2] / "scripts"))

from train.viseme_recipe import augment, conditions, corpus, neural, phones, recordings, scores
from train.viseme_recipe.labels import soften
from train.viseme_recipe.voices import NEURAL, VOICES, Utterance

from vcam.arkit import INDEX
from vcam.motion.visemes.net import WEIGHTS, VisemeNet
from vcam.motion.visemes.table import JAW, TABLE, VISEMES

REAL = Path(__file__).parents[1] / "data" / "real_speech"
SAID = [("sil", 0.3), ("m", 0.4), ("aa", 0.6), ("l", 0.7), ("uw", 0.85), ("f", 1.0), ("sil", 1.4)]


@pytest.fixture(scope="module")
def recorded() -> list[recordings.Recording]:
    return recordings.read(REAL)


def test_recordings_have_a_phone_at_every_moment(recorded):
    for one in recorded[:4]:
        ends = [end for _, end in one.phones]
        assert ends == sorted(ends)
        assert abs(ends[-1] - len(one.sound) / 16_000) < 0.5
        assert {name for name, _ in one.phones} <= phones.ARPABET.keys()
        assert np.mean(one.labels() >= 0) > 0.95


def test_doubtful_alignments_are_left_out(tmp_path):
    listed = (REAL / "alignments.json").read_text("utf-8")
    worse = listed.replace('"score": -1', '"score": -31', 1)
    (tmp_path / "alignments.json").write_text(worse, "utf-8")
    assert len(recordings.read(tmp_path)) == len(recordings.read(REAL)) - 1


@pytest.mark.parametrize("name", conditions.CONDITIONS)
def test_each_condition_is_as_long_finite_and_repeatable(name):
    sound = np.sin(np.arange(16_000) * 0.3).astype(np.float32)
    others = [np.random.default_rng(1).standard_normal(9_000).astype(np.float32)]
    first, again = (
        conditions.heard(name, np.random.default_rng(0), sound, others) for _ in range(2)
    )
    assert len(first) == len(sound) + conditions.BEFORE * 160
    assert np.isfinite(first).all()
    assert np.array_equal(first, again)
    assert np.abs(first[8_000:]).max() > 0.005


@pytest.mark.parametrize("seed", range(6))
def test_augmented_speech_stays_within_full_scale(seed):
    rng = np.random.default_rng(seed)
    others = [rng.standard_normal(5_000).astype(np.float32)]
    heard = augment.augment(rng, rng.standard_normal(24_000).astype(np.float32), others)
    assert len(heard) == 24_000
    assert np.abs(heard).max() <= 1
    assert heard.std() > 1e-3


def test_a_room_has_the_direct_sound_that_it_is_asked_for():
    click = np.zeros(16_000, np.float32)
    click[0] = 1
    for direct in (-3.0, 6.0):
        heard = augment.reverberant(np.random.default_rng(0), click, 0.6, direct)
        rest = 10 * np.log10(np.sum(heard[1:].astype(float) ** 2))
        assert rest == pytest.approx(-direct, abs=0.3)


def face_of(visemes: np.ndarray) -> np.ndarray:
    face = soften(visemes).astype(np.float32) @ TABLE
    tip = visemes == VISEMES.index("nn")
    face[:, INDEX["tongueOut"]] = np.maximum(face[:, INDEX["tongueOut"]], 0.2 * tip)
    return face


def test_a_mouth_without_mistakes_has_full_marks():
    said, _ = phones.frame_labels(SAID, "en", 140)
    score = scores.Score()
    score.add(SAID, said, said, face_of(said))
    row = score.row()
    assert row["accuracy"] == 1
    assert row["jaw"] > 0.99
    assert row["lag"] == 0
    assert (row["close"], row["round"], row["teeth"], row["tongue"]) == (1, 1, 1, 1)
    assert (row["flap"], row["gape"]) == (0, 0)


def test_a_mouth_that_never_closes_and_one_that_flaps_are_told():
    said, _ = phones.frame_labels(SAID, "en", 140)
    open_wide = np.tile(TABLE[VISEMES.index("aa")], (140, 1))
    score = scores.Score()
    score.add(SAID, said, said, open_wide)
    assert (score.row()["close"], score.row()["flap"], score.row()["gape"]) == (0, 0, 1)
    shut = scores.Score()
    shut.add(SAID, said, said, np.zeros_like(open_wide))
    assert (shut.row()["close"], shut.row()["flap"]) == (1, 1)


def test_a_late_jaw_is_told_by_its_milliseconds():
    said, _ = phones.frame_labels(SAID, "en", 140)
    face = np.zeros((140, len(INDEX)), np.float32)
    face[:, INDEX["jawOpen"]] = np.roll(soften(said) @ JAW, 3)
    score = scores.Score()
    score.add(SAID, said, said, face)
    assert score.lag() == 30


def test_the_ceiling_is_below_full_marks(recorded):
    best = scores.ceiling(
        recorded[0].phones, len(recorded[0].sound) // 160, np.random.default_rng(0)
    )
    assert 0.7 < best.accuracy < 0.95
    assert 0.8 < best.jaw < 0.99


def test_what_is_trained_is_what_runs(tmp_path):
    torch = pytest.importorskip("torch")
    from train.viseme_recipe.model import Net

    net = Net.read(WEIGHTS).eval()
    net.export(tmp_path / "visemes.npz")
    streaming = VisemeNet(tmp_path / "visemes.npz")
    mel = np.random.default_rng(0).normal(0, 1, (60, 40)).astype(np.float32)

    def answers(of: Net) -> np.ndarray:
        """Shares [60, 3, 15] of the frame asked for and the two after it."""
        with torch.no_grad():
            logits = of(torch.from_numpy(mel)[None])[0]
        visemes = torch.cat([logits[:, :15], logits[:, 16:]], -1).unflatten(-1, (3, 15))
        return torch.softmax(visemes, -1).numpy()

    whole = answers(net)
    steps = np.array([streaming.step(frame).visemes for frame in mel])
    for at in (2, 30, 59):
        around = [whole[at - 2, 0], whole[at - 1, 0], *whole[at]]
        wanted = np.average(around, axis=0, weights=[0.25, 0.75, 1, 0.75, 0.25])
        assert np.abs(wanted - steps[at]).max() < 0.02  # float16 weights
    wider = answers(net.widened(net.out.in_features + 8).eval())
    assert np.abs(wider - whole).max() < 0.1


def test_halves_are_taken_only_where_the_processor_multiplies_them():
    pytest.importorskip("torch")
    from train.viseme_recipe.model import halves_are_quick

    assert halves_are_quick({"avx2": True, "avx512_bf16": True})
    assert halves_are_quick({"amx_bf16": True})
    assert not halves_are_quick({"avx2": True, "avx512_bf16": False, "amx_bf16": False})
    assert not halves_are_quick({})


@pytest.mark.parametrize(("share", "said"), [(0.5, 20), (0.001, corpus.LEAST)])
def test_a_share_of_the_texts_is_said_once(tmp_path, monkeypatch, share, said):
    asked = []

    def speak(voice, texts, rng):
        asked.append(len(texts))
        return [Utterance(np.zeros(1600, np.int16), [("pau", 0.1)])] * len(texts)

    monkeypatch.setattr(corpus, "speak", speak)
    monkeypatch.setattr(corpus, "require", lambda: None)
    monkeypatch.setattr(corpus, "_texts", lambda voice, rng, count: ["a"] * count)
    voices = [voice for voice in corpus.VOICES if voice.name == "kal_diphone"]
    for _ in range(2):  # what is there is not made again
        assert corpus.synthesise(tmp_path, float("inf"), share=share, voices=voices)
    assert asked == [said]
    assert len(corpus.utterances(tmp_path, voices[0])) == said


def test_neural_symbols_become_phones_that_fill_their_time():
    said = ["$", "ˈ", "b", "ɜ", "ɹ", "d", " ", "O", " ", "A", "$"]
    made = neural._phones(said, [4, 1, 2, 4, 2, 2, 0, 5, 4, 4, 8])
    assert [name for name, _ in made] == ["_", "b", "ɚ", "d", "oʊ", "_", "eɪ", "_"]
    assert made[-1][1] == pytest.approx(36 * neural.STEP - neural.EARLY)
    assert all(phones.shape_of(name, "ipa") for name, _ in made)


def test_what_a_pause_lasts_is_taken_from_the_sound_before_it():
    sound = np.zeros(16_000, np.float32)
    sound[:4_800] = np.sin(np.arange(4_800))  # 0.3 s of voice
    mended = neural._trimmed([("a", 0.8), ("_", 1.0)], sound)
    assert [name for name, _ in mended] == ["a", "_", "_"]
    assert mended[0][1] == pytest.approx(0.32, abs=0.02)


def test_a_mixture_that_holds_its_sounds_is_left_out():
    assert neural.speakable([10, 3, 2, 4, 20])
    assert not neural.speakable([10, 30, 30, 40, 20])


def test_each_engine_has_its_texts_and_its_share():
    pytest.importorskip("torch")
    from train.viseme_recipe.model import SHARES

    engines = {voice.engine for voice in (*VOICES, *NEURAL)}
    assert engines == corpus.UTTERANCES.keys()
    assert engines | corpus.GROUPS.keys() == SHARES.keys()
    assert sum(SHARES.values()) == pytest.approx(1)
    assert len({voice.key for voice in (*VOICES, *NEURAL)}) == len(VOICES) + len(NEURAL)


@pytest.mark.slow  # torch's optimisers take seconds to import
def test_training_lowers_the_loss():
    torch = pytest.importorskip("torch")
    from train.viseme_recipe import model

    torch.manual_seed(0)
    features = torch.randn(2, 80, 40)
    soft = torch.nn.functional.one_hot(torch.arange(82) // 21, 15).float().expand(2, -1, -1)
    training = model.Training(model.Net(torch.zeros(40), torch.ones(40), 16), 200, 3e-3)
    batch = (features, soft, torch.zeros(2, 80))
    losses = [training.step(batch, torch.ones(15)) for _ in range(8)]
    assert losses[-1] < losses[0]
