import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vcam.audio.ring import RingBuffer
from vcam.media import AudioChunk


def counted(ring: RingBuffer, length: int) -> None:
    """Append the numbers that follow, so that each sample equals its tick."""
    ring.append(np.arange(ring.end, ring.end + length, dtype=np.float32))


def small_ring(capacity: int = 100) -> RingBuffer:
    return RingBuffer(np.zeros(capacity, np.float32))


@given(st.lists(st.integers(0, 130), max_size=20), st.integers(0, 900), st.integers(0, 130))
def test_what_is_read_is_what_was_heard_at_that_tick(lengths, start, length):
    ring = small_ring()
    for size in lengths:
        counted(ring, size)
    sound = ring.read(start, start + length)
    assert np.array_equal(sound.samples, np.arange(sound.start, sound.end))
    assert sound.end <= ring.end
    assert sound.start >= ring.end - ring.capacity


def test_reading_is_clipped_to_what_is_held():
    ring = small_ring()
    counted(ring, 250)
    assert ring.read(0, 1000).start == 150
    assert ring.read(0, 1000).end == 250
    assert len(ring.read(250, 300).samples) == 0


def test_a_reader_that_is_overtaken_gets_only_whole_samples(monkeypatch):
    ring = small_ring()
    counted(ring, 100)
    copy = ring._copy

    def slow_copy(start, end):
        counted(ring, 30)  # the writer comes by while the reader copies
        return copy(start, end)

    ring._copy = slow_copy
    sound = ring.read(0, 100)
    assert sound.start == 30
    assert np.array_equal(sound.samples, np.arange(30, 100))


def test_skipping_moves_the_ticks():
    ring = small_ring()
    ring.skip_to(10_000)
    chunk = ring.append(np.ones(5, np.float32))
    assert (chunk.start, ring.begin, ring.end) == (10_000, 10_000, 10_005)
    ring.take(AudioChunk(10_005, np.ones(5, np.float32)))  # nothing is skipped
    assert (ring.begin, ring.end) == (10_000, 10_010)
    ring.take(AudioChunk(20_000, np.ones(5, np.float32)))
    assert (ring.begin, ring.end) == (20_000, 20_005)


def test_shared_memory_is_used_as_it_is():
    memory, ends = np.zeros(64, np.float32), np.zeros(2, np.int64)
    writer, reader = RingBuffer(memory, ends), RingBuffer(memory, ends)
    writer.append(np.full(10, 0.25, np.float32))
    assert reader.read(0, 10).samples == pytest.approx(np.full(10, 0.25))
    writer.skip_to(30)
    assert (reader.begin, reader.end) == (30, 30)


def test_what_is_wiped_fades_out_and_is_gone():
    ring = RingBuffer()
    ring.append(np.ones(ring.capacity + 4800, np.float32))  # once around
    ring.wipe(ring.end - 2400)
    assert ring.read(ring.end - 4800, ring.end - 2400).samples.min() == 1.0
    tail = ring.read(ring.end - 2400, ring.end).samples
    assert tail[0] == 1.0
    assert np.all(np.diff(tail[:240]) < 0)
    assert not tail[240:].any()
    ring.append(np.ones(480, np.float32))
    assert ring.read(ring.end - 480, ring.end).samples.min() == 1.0


@pytest.mark.parametrize("start", [-5, 0, 10**9])
def test_any_tick_may_be_wiped_from(start):
    ring = RingBuffer()
    ring.append(np.ones(1000, np.float32))
    ring.wipe(start)
    assert ring.end == 1000
    assert ring.read(0, 1000).samples[300:].any() == (start > 1000)
