# ruff: noqa: E402 - imports follow the skip
"""A head over shoulders that stay: where the feather is, what moves and what does not."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="no GPU stack: torch is not installed")

from vcam.errors import ConfigError
from vcam.photo.torso import Torso, read_torso
from vcam.render.torso.breath import sway
from vcam.render.torso.layer import TorsoLayer
from vcam.render.torso.opening import Shoulders, open_shoulders
from vcam.render.torso.stance import Stance, eye_distance, head_share
from vcam.system import opencv as cv2

SIZE, CPU = 128, torch.device("cpu")
CHIN, NECK = (64.0, 76.0), (64.0, 76.0)
SKIN, CLOTH, ROOM = (200, 150, 120), (40, 60, 160), (90, 120, 90)


def photo() -> Torso:
    """A head, a neck and shoulders before a room of one colour."""
    colours, alpha = np.full((SIZE, SIZE, 3), ROOM, np.uint8), np.zeros((SIZE, SIZE), np.uint8)
    for mask in (colours, alpha):
        skin, cloth = (SKIN, CLOTH) if mask is colours else (255, 255)
        cv2.rectangle(mask, (54, 60), (74, 110), skin, -1)
        cv2.ellipse(mask, (64, 128), (52, 34), 0, 0, 360, cloth, -1)
        cv2.ellipse(mask, (64, 50), (20, 26), 0, 0, 360, skin, -1)
    return Torso(colours, alpha)


def marks() -> torch.Tensor:
    """Of that face: as much of iBUG's as a stance needs."""
    found = torch.full((68, 2), 64.0)
    found[8] = torch.tensor(CHIN)
    found[36], found[45] = torch.tensor([49.0, 42.0]), torch.tensor([79.0, 42.0])
    return found


def stance(right: float = 0.0, down: float = 0.0) -> Stance:
    by = torch.tensor([right, down])
    return Stance.of(marks() + by, torch.tensor(NECK) + by)


def drawn(right: float = 0.0, down: float = 0.0) -> tuple[torch.Tensor, torch.Tensor]:
    """The photo as a renderer draws it that moves shoulders with the head: colours, cover."""
    torso = photo()
    matrix = np.array([[1, 0, right], [0, 1, down]], np.float32)
    picture = np.concatenate([torso.colours, torso.alpha[..., None]], 2)
    moved = torch.from_numpy(cv2.warpAffine(picture, matrix, (SIZE, SIZE))).float() / 255
    return moved[..., :3].permute(2, 0, 1) * moved[..., 3], moved[..., 3]


@pytest.fixture(scope="module")
def layer() -> TorsoLayer:
    room = np.full((SIZE, SIZE, 3), ROOM, np.uint8)
    return TorsoLayer(Shoulders(photo(), room), stance(), eye_distance(marks()), CPU)


def over(layer: TorsoLayer, right: float = 0.0, down: float = 0.0, swayed=(0.0, 0.0)):
    frame = layer.over(*drawn(right, down), stance(right, down), torch.tensor(swayed))
    assert frame.shape == (3, SIZE, SIZE)
    return (255 * frame.permute(1, 2, 0)).numpy()


def test_at_rest_it_is_the_photo(layer):
    off = np.abs(over(layer) - photo().colours).max(2)
    assert np.median(off) < 1
    assert (off > 40).mean() < 0.02  # the outline, which is softened


@pytest.mark.parametrize(("right", "down"), [(8, 0), (-8, 0), (0, 5), (0, -5)])
def test_the_head_moves_and_shoulders_and_room_stay(layer, right, down):
    rest, moved = over(layer), over(layer, right, down)
    assert np.abs(moved[:12] - rest[:12]).max() < 1  # the room over the head
    assert np.abs(moved[115:] - rest[115:]).max() < 1  # shoulders
    face = np.abs(moved[40:60, 30:98] - np.roll(rest, (down, right), (0, 1))[40:60, 30:98])
    assert np.median(face) < 1


@pytest.mark.parametrize(("right", "down"), [(8, 0), (-8, 0), (0, 5), (0, -5)])
def test_nothing_of_the_room_shows_through_the_neck(layer, right, down):
    moved = over(layer, right, down)
    along = [moved[row, 64 + round(right * (1 - min(max(row - 76, 0) / 20, 1)))]
             for row in range(70, 126)]  # fmt: skip
    greener = [pixel[1] - max(pixel[0], pixel[2]) for pixel in along]
    assert max(greener) < 0  # skin and cloth are not; the room is


def test_of_the_still_head_nothing_is_left_behind(layer):
    moved = over(layer, 25)
    assert np.abs(moved[30:60, 46:60] - ROOM).max() < 3


def test_it_breathes_and_the_face_does_not(layer):
    rest, breathing = over(layer), over(layer, swayed=(0.0, -1.5))
    assert np.abs(breathing[:70] - rest[:70]).max() < 1
    assert np.abs(breathing[90:] - rest[90:]).max() > 20  # the shoulders' outline


def test_a_breath_is_small_and_a_function_of_the_tick():
    moves = np.array([sway(tick, 512) for tick in range(0, 30 * 48_000, 4800)])
    assert np.array_equal(sway(48_000, 512), sway(48_000, 512))
    assert 0.5 < np.ptp(moves[:, 1]) / 2 < 2.5  # pixels of 512
    assert np.abs(np.diff(moves, axis=0)).max() < 0.4  # in a tenth of a second


def test_the_feather_has_no_edge():
    below = torch.linspace(-1, 1, 401)[:, None]
    aside = torch.linspace(0, 1.5, 301)[None]
    share = head_share(below, aside, 0.1, 0.6)
    assert float(share.max()) == 1
    assert float(share[-1].max()) == 0
    assert float(share.diff(dim=0).abs().max()) < 0.05
    assert float(share.diff(dim=1).abs().max()) < 0.05


def test_shoulders_end_within_a_narrow_photo_and_run_out_of_a_wide_one(tmp_path):
    for width, ends in ((300, True), (455, False)):
        picture = np.full((256, width, 4), 180, np.uint8)
        picture[..., 3] = 0
        picture[200:] = (20, 20, 20, 255)
        cv2.imwrite(str(tmp_path / "torso.png"), picture)
        torso = read_torso(tmp_path / "torso.png")
        assert bool((torso.alpha[:, :6] == 0).all()) is ends
        assert bool((torso.before("keep", tmp_path)[201:, 3] > 150).all()) is ends
        assert (torso.before("keep", tmp_path)[230:, 100:200] == 20).all()


def test_a_layer_is_read_as_it_was_written_and_other_pictures_are_refused(tmp_path):
    picture = np.full((256, 400, 4), 120, np.uint8)
    picture[:, 100:300, 3] = 255
    picture[:, :100, 3] = 0
    cv2.imwrite(str(tmp_path / "torso.png"), picture)
    torso = read_torso(tmp_path / "torso.png")
    assert torso.colours.shape == (256, 400, 3)
    assert torso.square.alpha.shape == (256, 256)
    assert torso.resized(128).colours.shape == (128, 200, 3)
    for wrong in (picture[..., :3], picture[:100], np.zeros((256, 600, 4), np.uint8)):
        cv2.imwrite(str(tmp_path / "torso.png"), wrong)
        with pytest.raises(ConfigError):
            read_torso(tmp_path / "torso.png")
    (tmp_path / "torso.png").write_bytes(b"no picture")
    with pytest.raises(ConfigError):
        open_shoulders(tmp_path, "keep", 64)
    (tmp_path / "torso.png").unlink()
    assert open_shoulders(tmp_path, "keep", 64) is None
