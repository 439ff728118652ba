"""Made-up FLAME-layout assets for the FlashAvatar, SplattingAvatar and tracker parity data.

Same sizes as FLAME 2020 (5,023 vertices, 9,976 faces, 400 shape and expression fields, 36 pose
fields, 5 joints) and as FlashAvatar's mesh file (10,006 faces, 5,150 UVs), but a plain egg with two
balls: nothing here comes from the real model. Random draws as in gaga_synth.py; only the last bits
of sin, cos and sqrt can differ between machines. Text files are rounded to six decimals, so they
are equal everywhere. numpy only.
"""

import io
import pickle
from pathlib import Path

import numpy as np

from tests.parity.gaga_synth import _f32, rng

N_VERTS, N_FACES = 5023, 9976
N_HEAD, N_EYE = 3931, 546
RINGS = [6 * k for k in range(1, 17)] + [96] * 26 + [90, 84, 84, 84, 78, 72, 66, 60]
EYE_RINGS = [34] * 16
HALF = (0.075, 0.11, 0.09)
EYES = ((0.032, 0.022, 0.072), (-0.032, 0.022, 0.072))
EYE_RADIUS = 0.013
HEAD_UV = (0.335, 0.5, 0.20)
EYE_UV = ((0.72, 0.7, 0.045), (0.72, 0.45, 0.045))


def _ring_starts(rings, first=1):
    return np.cumsum([first, *rings])[:-1]


def _zip(start_a, n_a, start_b, n_b):
    """Triangles between two closed rings; integer decisions only."""
    out, i, j = [], 0, 0
    while i < n_a or j < n_b:
        a0, b0 = start_a + i % n_a, start_b + j % n_b
        if j >= n_b or (i < n_a and (i + 1) * n_b <= (j + 1) * n_a):
            out.append((a0, start_a + (i + 1) % n_a, b0))
            i += 1
        else:
            out.append((a0, start_b + (j + 1) % n_b, b0))
            j += 1
    return out


def _fan(pole, start, n, last):
    return [
        (pole, start + j, start + (j + 1) % n) if last else (pole, start + (j + 1) % n, start + j)
        for j in range(n)
    ]


def faces():
    """(9976, 3) vertex indices: 7,800 of the head, then 1,088 of each eye (+x first)."""
    st = _ring_starts(RINGS)
    out = _fan(0, st[0], RINGS[0], False)
    for k in range(len(RINGS) - 1):
        out += _zip(st[k], RINGS[k], st[k + 1], RINGS[k + 1])
    for e in range(2):
        base = N_HEAD + e * N_EYE
        st = _ring_starts(EYE_RINGS, base + 1)
        out += _fan(base, st[0], EYE_RINGS[0], False)
        for k in range(len(EYE_RINGS) - 1):
            out += _zip(st[k], EYE_RINGS[k], st[k + 1], EYE_RINGS[k + 1])
        out += _fan(base + N_EYE - 1, st[-1], EYE_RINGS[-1], True)
    out = np.array(out, dtype=np.int64)
    assert out.shape == (N_FACES, 3)
    return out


def _rings_polar(rings, top):
    """(vertices without the last pole, angle from the pole, angle around, ring fraction)."""
    theta, phi, frac = [0.0], [0.0], [0.0]
    for k, n in enumerate(rings):
        theta += [top * (k + 1) / len(rings)] * n
        frac += [(k + 1) / len(rings)] * n
        phi += list(2 * np.pi * np.arange(n) / n)
    return np.array(theta), np.array(phi), np.array(frac)


def template(seed):
    """(5023, 3) float64, metres, x to the subject's left, y up, z forward."""
    r = rng("flash.template", seed)
    t, p, _ = _rings_polar(RINGS, np.pi * 0.86)
    unit = np.stack([np.sin(t) * np.cos(p), np.cos(t), np.sin(t) * np.sin(p)], 1)
    bump = np.zeros(len(t))
    for _ in range(8):
        bump += 0.012 * np.sin(unit @ (3.0 * r.standard_normal(3)) + 6.28 * r.random(1))
    nose = np.clip(1 - ((unit - np.array([0.0, -0.05, 1.0])) ** 2).sum(1) / 0.05, 0, None)
    head = unit * np.array(HALF) * (1 + bump + 0.2 * nose)[:, None]
    parts = [head]
    t, p, _ = _rings_polar(EYE_RINGS, np.pi * 16 / 17)
    ball = np.stack([np.sin(t) * np.cos(p), -np.sin(t) * np.sin(p), np.cos(t)], 1)
    ball = np.concatenate([ball, [[0, 0, -1.0]]])
    for e in range(2):
        parts.append(np.array(EYES[e]) + EYE_RADIUS * ball)
    out = np.concatenate(parts)
    assert out.shape == (N_VERTS, 3)
    return out


def _mouth():
    """Rows of head vertices around a made-up mouth, for the 30 closing faces."""
    st = _ring_starts(RINGS)
    upper = st[30] + (np.arange(31) + 9)
    lower = st[33] + (np.arange(30) + 9)
    return upper, lower


def uv_mesh():
    """(uv (5150,2), faces (10006,3), uv faces (10006,3)); uv rounded to six decimals."""
    t, p, f = _rings_polar(RINGS, 1.0)
    cx, cy, rad = HEAD_UV
    uv = [np.stack([cx + rad * f * np.cos(p), cy + rad * f * np.sin(p)], 1)]
    vf = faces()
    tf = vf.copy()
    head_count = len(t)
    count = head_count
    for e in range(2):
        cx, cy, rad = EYE_UV[e]
        _, p, f = _rings_polar(EYE_RINGS, 1.0)
        f = f * 16 / 17
        p_last = 2 * np.pi * (np.arange(34) + 0.5) / 34
        pts = np.concatenate(
            [
                np.stack([f * np.cos(p), f * np.sin(p)], 1),
                np.stack([np.cos(p_last), np.sin(p_last)], 1),
            ]
        )
        uv.append(np.array([cx, cy]) + rad * pts)
        rows = slice(7800 + 1088 * e, 7800 + 1088 * (e + 1))
        tf[rows] += count - (N_HEAD + e * N_EYE)
        tf[7800 + 1088 * (e + 1) - 34 : 7800 + 1088 * (e + 1), 0] = (
            count + N_EYE - 1 + np.arange(34)
        )
        count += len(pts)
    upper, lower = _mouth()
    u = np.linspace(0.6, 0.95, 31)
    uv.append(np.stack([u, np.full(31, 0.16)], 1))
    uv.append(np.stack([(u[:-1] + u[1:]) / 2, np.full(30, 0.12)], 1))
    tri = np.stack([upper[:-1], upper[1:], lower], 1)
    tri_uv = np.stack(
        [count + np.arange(30), count + 1 + np.arange(30), count + 31 + np.arange(30)], 1
    )
    uv = np.round(np.concatenate(uv), 6)
    assert len(uv) == 5150
    return uv, np.concatenate([vf, tri]), np.concatenate([tf, tri_uv])


def obj_text(seed):
    """FlameMesh.obj layout: v, vt, f a/b (1-based)."""
    uv, vf, tf = uv_mesh()
    out = io.StringIO()
    for v in template(seed):
        out.write("v {:.6f} {:.6f} {:.6f}\n".format(*v))
    for t in uv:
        out.write("vt {:.6f} {:.6f}\n".format(*t))
    for a, b in zip(vf + 1, tf + 1, strict=True):
        out.write(f"f {a[0]}/{b[0]} {a[1]}/{b[1]} {a[2]}/{b[2]}\n")
    return out.getvalue()


def boundary():
    """Vertex ids of the made-up 'boundary' set: the three last rings (198 vertices)."""
    return np.arange(_ring_starts(RINGS)[-3], N_HEAD, dtype=np.int64)


def _fields(r, v, count, amplitude):
    """Smooth vector fields over the vertices, (5023, 3, count)."""
    freq = 25.0 * r.standard_normal((3, count))
    phase = 6.2831853 * r.random((count,))
    direction = r.standard_normal((3, count))
    wave = np.sin(v @ freq + phase)
    return wave[:, None, :] * (direction * amplitude)[None]


def eyelids(seed):
    """(left, right) offset fields, (5023, 3) float64; left is at positive x."""
    v = template(seed)
    out = []
    for e in range(2):
        d = ((v - (np.array(EYES[e]) + np.array([0.0, 0.012, 0.012]))) ** 2).sum(1)
        b = np.clip(1 - d / 0.02**2, 0, None) ** 2
        b[N_HEAD:] = 0
        out.append(b[:, None] * np.array([0.0006 if e == 0 else -0.0006, -0.009, 0.002]))
    return out


def _step(x):
    x = np.clip(x, 0, 1)
    return x * x * (3 - 2 * x)


def flame_model(seed):
    """The arrays of a FLAME pickle (float64, dense), made up."""
    r = rng("flash.flame", seed)
    v = template(seed)
    amp = 0.004 / np.sqrt(1 + 0.2 * (np.arange(400) % 300))
    shapedirs = _fields(r, v, 400, amp)
    posedirs = _fields(r, v, 36, 0.004)
    h, z = v[:, 1] / HALF[1], v[:, 2] / HALF[2]
    root = _step((-0.55 - h) / 0.35)
    jaw = (1 - root) * _step((-0.05 - h) / 0.3) * _step((z + 0.1) / 0.4)
    w = np.stack([root, 1 - root - jaw, jaw, np.zeros(N_VERTS), np.zeros(N_VERTS)], 1)
    for e in range(2):
        rows = slice(N_HEAD + e * N_EYE, N_HEAD + (e + 1) * N_EYE)
        w[rows] = 0
        w[rows, 1], w[rows, 3 + e] = 0.1, 0.9
    reg = np.zeros((5, N_VERTS))
    st = _ring_starts(RINGS)
    for j, k in ((0, 48), (1, 44), (2, 30)):
        reg[j, st[k] : st[k] + RINGS[k]] = 1.0 / RINGS[k]
    for e in range(2):
        reg[3 + e, N_HEAD + e * N_EYE : N_HEAD + (e + 1) * N_EYE] = 1.0 / N_EYE
    return {
        "f": faces(),
        "v_template": v,
        "shapedirs": shapedirs,
        "posedirs": posedirs,
        "J_regressor": reg,
        "kintree_table": np.array([[-1, 0, 1, 1, 1], [0, 1, 2, 3, 4]], dtype=np.int64),
        "weights": w,
    }


def flame_asset(seed):
    """As gaga_synth.flame_asset (layout of FLAME_with_eye.pt), with this mesh, and more."""
    from tests.parity import gaga_synth

    m = flame_model(seed)
    left, right = eyelids(seed)
    out = gaga_synth.flame_asset(seed)
    out["flame_model"] = {k: (a if a.dtype == np.int64 else _f32(a)) for k, a in m.items()}
    out["flash"] = {
        "l_eyelid": left,
        "r_eyelid": right,
        "boundary": boundary(),
        "obj": obj_text(seed),
    }
    return out


def write_assets(folder, seed):
    """The files a user brings, under their names: FLAME pickle (arrays instead of chumpy objects),
    mask pickle, eyelid fields, mesh file."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    m = flame_model(seed)
    m["f"] = m["f"].astype(np.uint32)
    m["kintree_table"] = np.array([[2**32 - 1, 0, 1, 1, 1], [0, 1, 2, 3, 4]], dtype=np.uint32)
    (folder / "generic_model.pkl").write_bytes(pickle.dumps(m, protocol=2))
    (folder / "FLAME_masks.pkl").write_bytes(
        pickle.dumps(
            {
                "boundary": boundary(),
                "left_eyeball": np.arange(3931, 4477),
                "right_eyeball": np.arange(4477, 5023),
            },
            protocol=2,
        )
    )
    left, right = eyelids(seed)
    np.save(folder / "l_eyelid.npy", left)
    np.save(folder / "r_eyelid.npy", right)
    (folder / "FlameMesh.obj").write_text(obj_text(seed))
    return sorted(p.name for p in folder.iterdir())
