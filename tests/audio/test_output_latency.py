import numpy as np
import pytest

from vcam.audio.output_latency import LONGEST, SEEN, OutputLatency


def test_single_words_do_not_move_it():
    latency, chance = OutputLatency(0.02), np.random.default_rng(1)
    for _ in range(SEEN):
        latency.saw(0.034 + float(chance.choice([0.0, 0.0, -0.01, 0.01])))
    assert latency.seconds == pytest.approx(0.034)


def test_a_lasting_change_is_believed_within_a_second():
    latency = OutputLatency(0.02)
    for said in (0.024, 0.034):
        for _ in range(SEEN):
            latency.saw(said)
        assert latency.seconds == pytest.approx(said)


@pytest.mark.parametrize("said", [0.0, -3.0, LONGEST + 1, float("nan")])
def test_an_output_without_a_clock_keeps_its_promise(said):
    latency = OutputLatency(0.02)
    for _ in range(SEEN):
        latency.saw(said)
    assert latency.seconds == 0.02
