"""Shaping the embedded avatar's head out of MakeHuman's, for `bake_head`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from bake.head_package import Body, Floats, Ints, Polygon

SOCKET_UV = (0.00, 0.17, 0.53, 0.65)  # MakeHuman's texture island of the eye sockets: u, u, v, v


@dataclass
class Origin:
    """The head's own coordinates: origin between the eyes, and where MakeHuman's eyes were."""

    place: Floats  # [3] in the whole body's coordinates
    eye: Floats  # [3] centre of the left eyeball, relative to the origin
    scale: float = 1.0  # of everything, about the origin
    eyes: float = 1.0  # how much the eyes are enlarged, against a cartoon's
    low: float = 0.95  # height of what lies below the eyes


def stylise(points: Floats, frame: Origin) -> Floats:
    """Shorten the lower face a little and enlarge the eyes; points [n, 3] relative to it."""
    bent = points.copy()
    low = bent[:, 1] < -0.12
    bent[low, 1] = -0.12 + frame.low * (bent[low, 1] + 0.12)
    moved = np.zeros_like(bent)
    for side in (1.0, -1.0):
        offset = bent - frame.eye * [side, 1, 1]
        radius = np.linalg.norm(offset * [1, 1, 0.8], axis=1) / 0.19
        moved += np.exp(-0.5 * radius**2)[:, None] * (
            frame.eyes * (offset * [0.42, 0.48, 0.12] + [side * 0.03, 0, 0])
        )
    return bent + moved


def triangles(polygons: list[Polygon]) -> Ints:
    """Vertex triangles of polygons, as fans."""
    ids = [[vertex for vertex, _ in polygon] for polygon in polygons]
    return np.array([(p[0], p[i], p[i + 1]) for p in ids for i in range(1, len(p) - 1)])


def normals(vertices: Floats, faces: Ints) -> Floats:
    """Area-weighted unit vertex normals [n, 3]."""
    a, b, c = (vertices[faces[:, corner]] for corner in range(3))
    summed = np.zeros_like(vertices)
    for corner in range(3):
        np.add.at(summed, faces[:, corner], np.cross(b - a, c - a))
    return np.asarray(summed / np.maximum(np.linalg.norm(summed, axis=1, keepdims=True), 1e-12))


def lid_edge(body: Body, head: Floats) -> Ints:
    """The visible edge of the left lids: three rings outside of where they meet the eye socket."""
    socket: set[int] = set()
    skin: set[int] = set()
    beside: dict[int, set[int]] = {}
    for polygon in body.faces["body"]:
        u, v = body.texture[[texture for _, texture in polygon]].mean(0)
        inside = SOCKET_UV[0] < u < SOCKET_UV[1] and SOCKET_UV[2] < v < SOCKET_UV[3]
        ids = {vertex for vertex, _ in polygon if head[vertex, 0] > 0 and head[vertex, 1] > -0.3}
        (socket if inside else skin).update(ids)
        for vertex in () if inside else ids:
            beside.setdefault(vertex, set()).update(ids)
    seen, ring = set(), socket & skin
    for _ in range(3):
        seen |= ring
        ring = set().union(*(beside[vertex] for vertex in ring)) - seen
    edge = np.array(sorted(ring))
    centre = head[edge].mean(0)
    return edge[np.argsort(np.arctan2(head[edge, 1] - centre[1], head[edge, 0] - centre[0]))]


def meet_lids(head: Floats, moved: Floats, rim: Ints) -> Floats:
    """Stretch a left blink downwards until the upper lid's edge lies on the lower one's.

    Displacements [n, 3] in and out; the stretch at a vertex is that of the edge above its own x.
    """
    closed = head + moved
    upper = rim[moved[rim, 1] < -0.03]
    lower = rim[(moved[rim, 1] >= -0.03) & (head[rim, 1] < -0.03)]
    upper, lower = (ids[np.argsort(head[ids, 0])] for ids in (upper, lower))
    floor = np.interp(closed[upper, 0], closed[lower, 0], closed[lower, 1]) + 0.006
    wanted = np.clip((floor - head[upper, 1]) / moved[upper, 1], 0.9, 1.6)
    stretched = moved.copy()
    stretched[:, 1] *= np.interp(head[:, 0], head[upper, 0], wanted)
    return stretched


def nearness(head: Floats, ids: Ints, reach: float) -> Floats:
    """How near each vertex is to some of them [n]: 1 on them, fading over `reach`."""
    gap = np.sqrt(((head[:, None] - head[ids][None]) ** 2).sum(2).min(1))
    return np.asarray(np.exp(-((gap / reach) ** 2)))


def mirror_of(head: Floats) -> Ints:
    """For each vertex the one on the other side of the face."""
    flipped = head * [-1, 1, 1]
    found = np.empty(len(head), np.int64)
    for start in range(0, len(head), 1000):
        rows = flipped[start : start + 1000]
        found[start : start + 1000] = ((rows[:, None] - head[None]) ** 2).sum(2).argmin(1)
    return found


def edge_loop(polygons: list[Polygon], start: tuple[int, int]) -> Ints:
    """The vertices met by walking straight on through a mesh of quads from an edge, until home."""
    sharing: dict[frozenset[int], set[int]] = {}
    beside: dict[int, set[int]] = {}
    for number, polygon in enumerate(polygons):
        ids = [vertex for vertex, _ in polygon]
        for a, b in zip(ids, ids[1:] + ids[:1], strict=True):
            sharing.setdefault(frozenset((a, b)), set()).add(number)
            beside.setdefault(a, set()).add(b)
            beside.setdefault(b, set()).add(a)
    walk = list(start)
    while walk[-1] != walk[0]:
        behind = sharing[frozenset(walk[-2:])]
        (ahead,) = (v for v in beside[walk[-1]] if not behind & sharing[frozenset((walk[-1], v))])
        walk.append(ahead)
    return np.array(walk[:-1])


def smoothed(moved: Floats, faces: Ints, keep: Floats, rounds: int) -> Floats:
    """Displacements [n, 3] averaged with their neighbours', except where `keep` [n] is 1."""
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    a, b = np.concatenate([edges, edges[:, ::-1]]).T
    degree = np.maximum(np.bincount(a, minlength=len(moved)), 1)[:, None]
    out = moved.copy()
    for _ in range(rounds):
        mean = np.zeros_like(out)
        np.add.at(mean, a, out[b])
        out += (1 - keep)[:, None] * 0.6 * (mean / degree - out)
    return out


def mouth_rings(polygons: list[Polygon], head: Floats, middles: tuple[int, ...]) -> Ints:
    """Rings around the mouth [k, 38], each from the upper lip's middle to the avatar's left."""
    beside: dict[int, set[int]] = {}
    for polygon in polygons:
        ids = [vertex for vertex, _ in polygon]
        for a, b in zip(ids, ids[1:] + ids[:1], strict=True):
            beside.setdefault(a, set()).add(b)
            beside.setdefault(b, set()).add(a)
    starts = [(mid, max(beside[mid], key=lambda v: float(head[v, 0]))) for mid in middles]
    return np.stack([edge_loop(polygons, start) for start in starts])


def purse(
    head: Floats,
    rings: Ints,
    faces: Ints,
    inner: tuple[float, float],
    outer: tuple[float, float],
    forward: float,
) -> Floats:
    """Displacements [n, 3] that round the lips to an O: rings onto ellipses, the rest following.

    `inner` and `outer` are half width and half height of the line of contact and of the lips'
    border; between the lips and the still parts of the face the skin spreads evenly.
    """
    moved = np.zeros_like(head)
    middle = head[rings[0]].mean(0) * [0, 1, 1]
    count = rings.shape[1]
    walked = np.linalg.norm(np.diff(head[rings], axis=0), axis=2).mean(1)  # ring to ring
    for ring, share in zip(rings, np.cumsum([0, *walked]) / walked.sum(), strict=True):
        wide, high = (1 - share) * np.array(inner) + share * np.array(outer)
        left, right = int(head[ring, 0].argmax()), int(head[ring, 0].argmin())
        turn = np.interp(
            np.arange(count),
            [0, left, count / 2, right, count],
            np.pi * np.array([0.5, 0, -0.5, -1, -1.5]),
        )
        x, y = wide * np.cos(turn), middle[1] + high * np.sin(turn)
        z = head[ring[[0, count // 2]], 2].mean() + forward - 0.9 * x**2
        moved[ring] = np.stack([x, y, z], 1) - head[ring]
    gap = np.linalg.norm(head - middle, axis=1)
    still = np.ones(len(head))
    still[np.unique(faces)] = 0
    still[gap > 0.46] = 1
    still[rings] = 1
    return smoothed(moved, faces, still, 150)


def thinner(head: Floats, rings: Ints, faces: Ints, share: float) -> Floats:
    """Displacements [n, 3] that bring the red of the lips to a share of its height; the skin around
    it follows."""
    moved = np.zeros_like(head)
    contact = head[rings[0], 1]
    for ring in rings:
        moved[ring, 1] = (share - 1) * (head[ring, 1] - contact)
    gap = np.linalg.norm(head - head[rings[0]].mean(0), axis=1)
    still = np.ones(len(head))
    still[np.unique(faces)] = 0
    still[gap > 0.40] = 1
    still[rings] = 1
    return smoothed(moved, faces, still, 60)


def move_brow(head: Floats, name: str) -> Floats:
    """Displacements [n, 3] that carry a painted brow as a whole, on top of what the pack's do."""
    side = -1.0 if name.endswith("Right") else 1.0
    x = head[:, 0] * side
    row = np.exp(-(((head[:, 1] - 0.30) / 0.13) ** 2)) * (head[:, 2] > -0.4)
    if name == "browInnerUp":
        column, lift, inward = np.exp(-((head[:, 0] / 0.27) ** 4)), 0.040, 0.0
    elif name.startswith("browOuterUp"):
        column, lift, inward = np.exp(-(((x - 0.45) / 0.22) ** 4)), 0.040, 0.0
    else:
        column, lift, inward = np.exp(-(((x - 0.28) / 0.28) ** 4)), -0.042, 0.020
    amount = row * column
    return np.stack([-side * inward * amount, lift * amount, 0 * amount], 1)
