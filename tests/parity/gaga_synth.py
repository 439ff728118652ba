"""Deterministic synthetic inputs and assets for the GAGAvatar parity goldens.

Everything is drawn as in fill.py (raw Philox words keyed by sha256), so a test
regenerates the arrays that the goldens were made from on any machine; only the
last bits of sin/exp/sqrt can differ.  numpy only.
"""

import hashlib

import numpy as np

N_VERTS, N_FACES = 5023, 9976
PLANE = 296


class rng:
    """A named random stream: normal-like, uniform and integer draws."""

    def __init__(self, name, seed):
        digest = hashlib.sha256(f"{int(seed)}:{name}".encode()).digest()
        self._bits = np.random.Philox(key=np.frombuffer(digest[:16], dtype="<u8").astype(np.uint64))

    def _raw(self, shape):
        shape = (shape,) if isinstance(shape, int) else tuple(shape)
        return self._bits.random_raw(int(np.prod(shape, dtype=np.int64))), shape

    def standard_normal(self, shape):
        raw, shape = self._raw(shape)
        total = np.full(raw.shape, -131070, dtype=np.int64)
        for shift in (0, 16, 32, 48):
            total += ((raw >> np.uint64(shift)) & np.uint64(0xFFFF)).astype(np.int64)
        return (total / np.sqrt(4.0 * (65536.0**2 - 1.0) / 12.0)).reshape(shape)

    def random(self, shape):
        raw, shape = self._raw(shape)
        return ((raw >> np.uint64(11)) * (1.0 / 9007199254740992.0)).reshape(shape)

    def uniform(self, low, high, shape=(1,)):
        return low + (high - low) * self.random(shape)

    def integers(self, low, high, shape):
        raw, shape = self._raw(shape)
        return (low + (raw % np.uint64(high - low)).astype(np.int64)).reshape(shape)


def _f32(a):
    return np.ascontiguousarray(a, dtype=np.float32)


def head_points(seed, n=N_VERTS, scale=5.0):
    """Points on a head-sized ellipsoid shell, in GAGAvatar world units."""
    r = rng("head_points", seed)
    d = r.standard_normal((n, 3))
    d /= np.linalg.norm(d, axis=1, keepdims=True)
    shell = 1.0 + 0.05 * r.standard_normal((n, 1))
    return _f32(d * shell * np.array([0.075, 0.11, 0.09]) * scale)


def flame_asset(seed):
    """A dict laid out like FLAME_with_eye.pt, random values (numpy arrays)."""
    r = rng("flame", seed)
    v = head_points(seed, scale=1.0)
    falloff = np.sqrt(1 + np.arange(400) % 300)
    shapedirs = _f32(r.standard_normal((N_VERTS, 3, 400)) * 0.002 / falloff)
    posedirs = _f32(r.standard_normal((N_VERTS, 3, 36)) * 0.001)
    reg = r.random((5, N_VERTS)) * (r.random((5, N_VERTS)) < 0.01)
    weights = np.exp(3.0 * r.standard_normal((N_VERTS, 5)))

    def bary(*shape):
        b = r.random((*shape, 3)) + 0.05
        return b / b.sum(-1, keepdims=True)

    return {
        "flame_model": {
            "f": r.integers(0, N_VERTS, (N_FACES, 3)).astype(np.int64),
            "v_template": v,
            "shapedirs": shapedirs,
            "posedirs": posedirs,
            "J_regressor": _f32(reg / reg.sum(1, keepdims=True)),
            "kintree_table": np.array([[-1, 0, 1, 1, 1], [0, 1, 2, 3, 4]], dtype=np.int64),
            "weights": _f32(weights / weights.sum(1, keepdims=True)),
        },
        "lmk_embeddings": {
            "static_lmk_faces_idx": r.integers(0, N_FACES, (51,)).astype(np.int64),
            "static_lmk_bary_coords": _f32(bary(51)),
            "dynamic_lmk_faces_idx": r.integers(0, N_FACES, (79, 17)).astype(np.int64),
            "dynamic_lmk_bary_coords": _f32(bary(79, 17)),
            "full_lmk_faces_idx_with_eye": r.integers(0, N_FACES, (1, 70)).astype(np.int64),
            "full_lmk_bary_coords_with_eye": _f32(bary(1, 70)),
        },
        "lmk_embeddings_mediapipe": {
            "lmk_face_idx": r.integers(0, N_FACES, (105,)).astype(np.int64),
            "lmk_b_coords": _f32(bary(105)),
            "landmark_indices": np.arange(105, dtype=np.int64),
        },
    }


def motion(seed, frames):
    """(frames, 106) motion codes: 100 expression, 3 global rotation, 3 jaw."""
    r = rng("motion", seed)
    m = r.standard_normal((frames, 106)) * 0.5
    m[:, 100:103] *= 0.3
    m[:, 103:] *= 0.1
    m[:, 103] = np.abs(m[:, 103])
    m[:, 104:] = 0.0
    return _f32(m)


def image(seed, size=512, name="image"):
    """(3, size, size) smooth image in [0, 1]."""
    r = rng(name, seed)
    y, x = np.meshgrid(np.linspace(0, 1, size), np.linspace(0, 1, size), indexing="ij")
    out = np.zeros((3, size, size))
    for c in range(3):
        for _ in range(6):
            fx, fy, ph, amp = r.random(4) * np.array([12.0, 12.0, 6.28, 0.8])
            out[c] += (0.2 + amp) * np.sin(6.2831853 * (fx * x + fy * y) + ph)
    out = 0.5 + 0.15 * out
    return _f32(np.clip(out, 0, 1))


def rotation_aa(seed):
    return _f32(rng("rotation", seed).standard_normal(3) * 0.2)


def tracked_entry(seed):
    """One entry of tracked.pt (only the fields that inference reads)."""
    r = rng("tracked", seed)
    a = r.standard_normal(3) * 0.15
    ang = np.linalg.norm(a)
    k = a / ang
    K = np.array([[0, -k[2], k[1]], [k[2], 0, -k[0]], [-k[1], k[0], 0]])
    R = np.eye(3) + np.sin(ang) * K + (1 - np.cos(ang)) * K @ K
    R = R @ np.diag([-1.0, 1.0, -1.0])
    T = np.array([0.02, -0.03, 9.5]) + 0.02 * r.standard_normal(3)
    return {
        "image": image(seed, 512, "tracked_image"),
        "transform_matrix": _f32(np.concatenate([R, T[:, None]], 1)),
        "shapecode": _f32(r.standard_normal(300) * 0.5),
    }


def _sigmoid(x):
    return 1.0 / (1.0 + np.exp(-x))


def gaussians(seed, case="net", n_head=N_VERTS, plane=PLANE):
    """Gaussians as the generators would emit them, for the rasterizer goldens.

    case "net":   scale = 0.05*sigmoid(normal)  (the random net's range)
    case "small": scale uniform in 0.005..0.010
    The first n_head rotations are normalised over the point axis (so they are
    NOT unit quaternions), the rest are unit quaternions.
    """
    r = rng(f"gaussians:{case}:{n_head}:{plane}", seed)
    n = n_head + 2 * plane * plane
    head = head_points(seed, n_head)
    g = np.linspace(1, -1, plane) * 9.766 / 12.0
    x, y = np.meshgrid(g, g, indexing="xy")
    base = np.stack([x, y, np.zeros_like(x)], -1).reshape(-1, 3)
    bump = 0.45 * np.exp(-((base[:, 0] / 0.35) ** 2 + (base[:, 1] / 0.5) ** 2))
    xyz = [head]
    for sign in (1.0, -1.0):
        p = base.copy()
        p[:, 2] = sign * (bump + 0.03 * r.standard_normal(len(p)))
        xyz.append(p)
    q = r.standard_normal((n, 4))
    q[:n_head] /= np.linalg.norm(q[:n_head], axis=0, keepdims=True)
    q[n_head:] /= np.linalg.norm(q[n_head:], axis=1, keepdims=True)
    colors = r.standard_normal((n, 32))
    colors[:, :3] = _sigmoid(colors[:, :3])
    if case == "net":
        scales = 0.05 * _sigmoid(r.standard_normal((n, 3)))
        opac = _sigmoid(r.standard_normal((n, 1)))
    else:
        scales = r.uniform(0.005, 0.010, (n, 3))
        opac = _sigmoid(2.0 + 3.0 * r.standard_normal((n, 1)))
    return {
        "xyz": _f32(np.concatenate(xyz)),
        "colors": _f32(colors),
        "opacities": _f32(opac),
        "scales": _f32(scales),
        "rotations": _f32(q),
    }
