"""A short run of `fuzz_profiles`; the long one is marked slow."""

import pytest

from tests.fuzz_profiles import Fuzz


@pytest.mark.parametrize(
    ("profiles", "files"), [(400, 250), pytest.param(10_000, 2_000, marks=pytest.mark.slow)]
)
def test_damaged_profiles_end_in_a_message(tmp_path, monkeypatch, profiles, files):
    monkeypatch.setenv("VCAM_PROFILES", "")  # restored afterwards, whatever the fuzzer sets
    fuzz = Fuzz(tmp_path)
    for _ in range(profiles):
        fuzz.one_profile()
    for _ in range(files):
        fuzz.one_file()
    assert fuzz.outcomes["refused"] > 0.3 * (profiles + files)
    assert fuzz.outcomes["accepted"] > 0
