# mypy: ignore-errors
# Triton has no types, and takes annotations for its own.
"""What `tables` runs on the GPU; see there for the idea.

Names ending in capitals are known when a kernel is compiled. Tables are int32 [2, TILES, words]:
columns, then rows; records are float32 [32 * words, 8], in order of depth.
"""

import triton
import triton.language as tl


@triton.jit
def _dot(x, y, z, row, scale):
    """A point times a row of the view, rounded as the original rounds (see `exact._centres`)."""
    a, b, c, d = tl.load(row), tl.load(row + 1), tl.load(row + 2), tl.load(row + 3)
    return tl.fma(z, c * scale, tl.fma(x, a * scale, y * (b * scale))) + d * scale


@triton.jit
def _pixel(normal, size):
    """-1..1 across the picture -> pixels, rounded once."""
    return (((normal.to(tl.float64) + 1.0) * size - 1.0) * 0.5).to(tl.float32)


@triton.jit
def measure(points, seen, depths, count, BLOCK: tl.constexpr):
    """How far in front of the camera each Gaussian lies."""
    which = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = which < count
    px = tl.load(points + which * 3, mask=inside, other=0.0)
    py = tl.load(points + which * 3 + 1, mask=inside, other=0.0)
    pz = tl.load(points + which * 3 + 2, mask=inside, other=0.0)
    tl.store(depths + which, _dot(px, py, pz, seen + 8, 1.0), mask=inside)


@triton.jit
def _seen_shape(shape, ax, ay, az, bx, by, bz, blur):
    """A covariance between the rows a and b of the projection's Jacobian: xx, xy, yy."""
    xx, xy = tl.load(shape), tl.load(shape + 1)
    xz, yy = tl.load(shape + 2), tl.load(shape + 3)
    yz, zz = tl.load(shape + 4), tl.load(shape + 5)
    vx, vy, vz = _times(xx, xy, xz, yy, yz, zz, ax, ay, az)
    wx, wy, wz = _times(xx, xy, xz, yy, yz, zz, bx, by, bz)
    across = ax * vx + ay * vy + az * vz + blur
    mixed = ax * wx + ay * wy + az * wz
    return across, mixed, bx * wx + by * wy + bz * wz + blur


@triton.jit
def _times(xx, xy, xz, yy, yz, zz, x, y, z):
    """A symmetric matrix times a vector."""
    return xx * x + xy * y + xz * z, xy * x + yy * y + yz * z, xz * x + yz * y + zz * z


@triton.jit
def flatten(
    points, static, order, seen, records, table,
    count, words, size, focal, near, blur, left_most, right_most, top_most, bottom_most,
    BLOCK: tl.constexpr, GROUP: tl.constexpr, TILE: tl.constexpr, TILES: tl.constexpr,
):  # fmt: skip
    """Project GROUP words of Gaussians in order of depth; write their records and table bits."""
    word = tl.program_id(0) * GROUP + tl.arange(0, GROUP)
    lane = tl.arange(0, BLOCK)
    place = word[:, None] * BLOCK + lane[None, :]
    real = place < count
    which = tl.load(order + place, mask=real, other=0)
    r00, r01, r02 = tl.load(seen), tl.load(seen + 1), tl.load(seen + 2)
    r10, r11, r12 = tl.load(seen + 4), tl.load(seen + 5), tl.load(seen + 6)
    r20, r21, r22 = tl.load(seen + 8), tl.load(seen + 9), tl.load(seen + 10)
    px = tl.load(points + which * 3)
    py = tl.load(points + which * 3 + 1)
    pz = tl.load(points + which * 3 + 2)
    x, y = _dot(px, py, pz, seen, 1.0), _dot(px, py, pz, seen + 4, 1.0)
    z = _dot(px, py, pz, seen + 8, 1.0)
    front = real & (z > near)
    z = tl.where(front, z, 1.0)
    # The Jacobian of the projection, its far sides held to those given.
    pixels = focal * size / 2
    scale = pixels / z
    bent_x = -pixels * tl.minimum(tl.maximum(x / z, left_most), right_most) / z
    bent_y = -pixels * tl.minimum(tl.maximum(y / z, top_most), bottom_most) / z
    ax, ay, az = scale * r00 + bent_x * r20, scale * r01 + bent_x * r21, scale * r02 + bent_x * r22
    bx, by, bz = scale * r10 + bent_y * r20, scale * r11 + bent_y * r21, scale * r12 + bent_y * r22
    xx, xy, yy = _seen_shape(static + which * 7, ax, ay, az, bx, by, bz, blur)
    det = xx * yy - xy * xy
    middle = 0.5 * (xx + yy)
    spread_out = tl.sqrt(tl.maximum(middle * middle - det, 0.1))
    radius = tl.ceil(3.0 * tl.sqrt(middle + spread_out))
    drawn = front & (det != 0.0)
    det = tl.where(drawn, det, 1.0)
    closeness = 1.0 / (z + 1e-7)
    cx = _pixel(_dot(px, py, pz, seen, focal) * closeness, size)
    cy = _pixel(_dot(px, py, pz, seen + 4, focal) * closeness, size)
    at = records + place * 8  # one sector of memory for each Gaussian
    inside = word[:, None] < words
    tl.store(at, cx, mask=inside)
    tl.store(at + 1, cy, mask=inside)
    tl.store(at + 2, yy / det, mask=inside)
    tl.store(at + 3, -xy / det, mask=inside)
    tl.store(at + 4, xx / det, mask=inside)
    tl.store(at + 5, tl.load(static + which * 7 + 6), mask=inside)
    tl.store(at + 6, which.to(tl.int32).to(tl.float32, bitcast=True), mask=inside)
    # Clamped before they become integers: a Gaussian far outside must not overflow.
    edge = (TILES + 1) * TILE * 1.0
    left = (tl.maximum(tl.minimum(cx - radius, edge), 0.0) / TILE).to(tl.int32)
    right = (tl.maximum(tl.minimum(cx + radius + TILE - 1, edge), 0.0) / TILE).to(tl.int32)
    top = (tl.maximum(tl.minimum(cy - radius, edge), 0.0) / TILE).to(tl.int32)
    bottom = (tl.maximum(tl.minimum(cy + radius + TILE - 1, edge), 0.0) / TILE).to(tl.int32)
    bit = tl.where(drawn, 1, 0) << lane[None, :]
    for step in range(TILES):
        column = tl.sum(tl.where((left <= step) & (right > step), bit, 0), 1)
        row = tl.sum(tl.where((top <= step) & (bottom > step), bit, 0), 1)
        tl.store(table + step * words + word, column, mask=word < words)
        tl.store(table + (TILES + step) * words + word, row, mask=word < words)


@triton.jit
def _ones(word):
    """How many bits of each unsigned 32-bit word are set."""
    word = word - ((word >> 1) & 0x55555555)
    word = (word & 0x33333333) + ((word >> 2) & 0x33333333)
    word = (word + (word >> 4)) & 0x0F0F0F0F
    return ((word * 0x01010101) >> 24).to(tl.int32)


@triton.jit
def _list(table, column, row, start, words, mine, WORDS: tl.constexpr, BLOCK: tl.constexpr):
    """Write the Gaussians of a stretch of words that touch a tile to `mine`; how many they are."""
    step = tl.arange(0, WORDS)
    inside = start + step < words
    bits = tl.load(table + column * words + start + step, mask=inside, other=0)
    bits = bits & tl.load(table + row * words + start + step, mask=inside, other=0)
    left = bits.to(tl.uint32, bitcast=True)
    ones = _ones(left)
    found = tl.sum(ones, 0)
    slot = tl.cumsum(ones, 0) - ones
    most = tl.max(ones, 0)
    while most > 0:
        rest = left & (left - 1)
        place = step * BLOCK + _ones((left ^ rest) - 1)  # the lowest bit still set
        tl.store(mine + slot, place.to(tl.int16), mask=left != 0)
        left = rest
        slot += 1
        most -= 1
    tl.debug_barrier()  # other threads of this program read what was written
    return found


@triton.jit
def _least(xx, xy, yy, left, right, top, bottom):
    """The least of xx x x + 2 xy x y + yy y y over left..right, top..bottom: on an edge, if the
    middle is not inside."""
    y_left = tl.minimum(tl.maximum(-xy * left / yy, top), bottom)
    y_right = tl.minimum(tl.maximum(-xy * right / yy, top), bottom)
    x_top = tl.minimum(tl.maximum(-xy * top / xx, left), right)
    x_bottom = tl.minimum(tl.maximum(-xy * bottom / xx, left), right)
    sides = tl.minimum(
        xx * left * left + (2 * xy * left + yy * y_left) * y_left,
        xx * right * right + (2 * xy * right + yy * y_right) * y_right,
    )
    ends = tl.minimum(
        xx * x_top * x_top + (2 * xy * x_top + yy * top) * top,
        xx * x_bottom * x_bottom + (2 * xy * x_bottom + yy * bottom) * bottom,
    )
    inside = (left <= 0) & (right >= 0) & (top <= 0) & (bottom >= 0)
    return tl.where(inside, 0.0, tl.minimum(sides, ends))


@triton.jit
def _reaching(
    records, mine, found, start, left, top, faint,
    WIDE: tl.constexpr, HIGH: tl.constexpr, BLOCK: tl.constexpr, AT_ONCE: tl.constexpr,
):  # fmt: skip
    """Of the Gaussians in `mine`, keep in order those that are not too faint all over a rectangle
    of WIDE x HIGH pixels; how many they are. A tile's list is two thirds of others."""
    kept = 0
    done = 0
    while done < found:
        here = done + tl.arange(0, AT_ONCE)
        live = here < found
        place = tl.load(mine + here, mask=live, other=0)
        at = records + (start * BLOCK + place.to(tl.int32)) * 8
        x, y, opacity = tl.load(at) - left, tl.load(at + 1) - top, tl.load(at + 5)
        least = _least(tl.load(at + 2), tl.load(at + 3), tl.load(at + 4),
                       -x, WIDE - 1 - x, -y, HIGH - 1 - y)  # fmt: skip
        beyond = 0.5 * least > tl.log(opacity / faint) + 0.02  # well: rounding shall not decide
        wanted = tl.where(live & (beyond == 0), 1, 0)  # one that is no number is kept
        slot = kept + tl.cumsum(wanted, 0) - wanted
        tl.debug_barrier()  # all have been read
        tl.store(mine + slot, place, mask=wanted != 0)
        kept += tl.sum(wanted, 0)
        done += AT_ONCE
    tl.debug_barrier()
    return kept


@triton.jit
def blend(
    records, table, colours, listed, features, coverage, words, tiles, opaque, faint, dark,
    BLOCK: tl.constexpr, TILE: tl.constexpr, ROWS: tl.constexpr, CHANNELS: tl.constexpr,
    WORDS: tl.constexpr, BATCH: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """Draw ROWS rows of a tile: list its Gaussians a stretch at a time, blend, stop when full."""
    program = tl.program_id(0)
    SHARES: tl.constexpr = TILE // ROWS
    tile = program // SHARES
    column, row = tile % tiles, tile // tiles
    pixel = tl.arange(0, TILE * ROWS)
    x = column * TILE + pixel % TILE
    y = row * TILE + (program % SHARES) * ROWS + pixel // TILE
    px, py = x.to(tl.float32), y.to(tl.float32)
    channel = tl.arange(0, CHANNELS)
    light = tl.full((TILE * ROWS,), 1.0, tl.float32)
    cover = tl.zeros((TILE * ROWS,), tl.float32)
    total = tl.zeros((TILE * ROWS, CHANNELS), tl.float32)
    mine = listed + program * (WORDS * BLOCK)
    start = 0
    brightest = 1.0
    while (start < words) & (brightest >= dark):
        found = _list(table, column, tiles + row, start, words, mine, WORDS, BLOCK)
        top = row * TILE + (program % SHARES) * ROWS
        found = _reaching(records, mine, found, start, column * TILE, top, faint,
                          TILE, ROWS, BLOCK, 64)  # fmt: skip
        done = 0
        while (done < found) & (brightest >= dark):
            here = done + tl.arange(0, BATCH)
            live = here < found
            place = start * BLOCK + tl.load(mine + here, mask=live, other=0).to(tl.int32)
            at = records + place * 8
            # Gaussians down, pixels across: each thread keeps its own pixels' light in registers.
            dx = tl.load(at)[:, None] - px[None, :]
            dy = tl.load(at + 1)[:, None] - py[None, :]
            xx, xy = tl.load(at + 2)[:, None], tl.load(at + 3)[:, None]
            yy, opacity = tl.load(at + 4)[:, None], tl.load(at + 5)[:, None]
            which = tl.load(at + 6).to(tl.int32, bitcast=True)
            paint = tl.load(colours + which[:, None] * CHANNELS + channel[None, :])
            power = -0.5 * (xx * dx * dx + yy * dy * dy) - xy * dx * dy
            alpha = tl.minimum(opacity * tl.exp(power), opaque)
            alpha = tl.where((power <= 0.0) & (alpha >= faint) & live[:, None], alpha, 0.0)
            after = light[None, :] * tl.cumprod(1.0 - alpha, 0)
            weight = tl.where(after >= dark, alpha * after / (1.0 - alpha), 0.0)
            total += tl.dot(tl.trans(weight.to(paint.dtype)), paint, input_precision=PRECISION)
            cover += tl.sum(weight, 0)
            light = tl.min(after, 0)
            brightest = tl.max(light, 0)
            done += BATCH
        tl.debug_barrier()  # before the list is written anew
        start += WORDS
    at = y * (tiles * TILE) + x
    place = features + at[:, None] * CHANNELS + channel[None, :]
    tl.store(place, total.to(features.dtype.element_ty))
    tl.store(coverage + at, cover)
