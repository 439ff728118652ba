"""Conversions: what comes out, what is refused, and what a hostile file cannot do."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from tests.crafted import mutants, originals  # noqa: E402 - after the skip
from vcam.errors import WeightsError  # noqa: E402
from vcam.tensors import tensorfile  # noqa: E402
from vcam.tensors.arrays import read_numbers  # noqa: E402
from vcam.tensors.checkpoint import read_state, read_tensor  # noqa: E402
from vcam.weights.convert import Recipe, convert, transform  # noqa: E402

SLOWEST = 5.0  # seconds for any file, however crafted


class Bomb:
    """An object whose unpickling would write a file."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self):
        return (Path.touch, (self.target,))


def saved(content, path: Path) -> Path:
    torch.save(content, path)
    return path


def test_a_checkpoint_becomes_safetensors_as_the_recipe_says(tmp_path):
    torch.manual_seed(0)
    model = {
        "enc.weight": torch.randn(3, 5), "enc.scale": torch.randn(2), "count": torch.arange(4),
        "loss.weight": torch.randn(9), "one": torch.tensor(2.5), "wide": torch.randn(2).double(),
        "brain": torch.randn(4, 2).bfloat16(), "flag": torch.tensor([True, False, True]),
        "turned": torch.randn(4, 6).T, "empty": torch.zeros(0, 3),
    }  # fmt: skip
    source = saved({"model": model, "meta": {"step": 3}}, tmp_path / "net.pt")
    recipe = Recipe(entry="model", drop=("loss.*",), half=("enc.*", "count"), full=("*.scale",))
    locks = convert(source, tmp_path / "out" / "net.safetensors", recipe)
    state = read_state(tmp_path / "out" / "net.safetensors")
    assert state.keys() == model.keys() - {"loss.weight"}
    assert state["enc.weight"].dtype == torch.float16
    for name, value in state.items():
        expected = model[name].half() if name == "enc.weight" else model[name]
        torch.testing.assert_close(value, expected, rtol=0, atol=0)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["net.safetensors"]
    if sys.platform == "linux":
        assert "limits" in locks


def transformed(source: Path, recipe: Recipe) -> Path:
    """The child's work, here and now: half a dozen starts of torch would take a minute."""
    target = source.with_suffix(".safetensors")
    with target.open("wb") as file:
        transform(source, file, recipe)
    return target


def test_one_tensor_comes_back_as_it_was(tmp_path):
    clip = torch.arange(400.0).reshape(100, 4)[7:9, ::2]
    target = transformed(saved(clip, tmp_path / "a.pt"), Recipe(kind="tensor"))
    torch.testing.assert_close(read_tensor(target), clip, rtol=0, atol=0)


def test_nested_numbers_come_back_as_they_were_or_not_at_all(tmp_path):
    kind, content = originals()["numbers.pt"]
    source = tmp_path / "n.pt"
    source.write_bytes(content)
    target = transformed(source, Recipe(kind))
    torch.testing.assert_close(read_numbers(target), read_numbers(source), rtol=0, atol=0)
    with pytest.raises(WeightsError, match=r"of another kind: m.f is \[2, 3\], not \[5023, 3\]"):
        convert(source, tmp_path / "x.safetensors", Recipe(kind, expect={"m.f": [5023, 3]}))
    assert not list(tmp_path.glob("x.*"))


@pytest.mark.parametrize(
    ("content", "recipe", "words"),
    [
        ({"a": torch.tensor([1e6])}, Recipe(half=("*",)), "too large for half precision"),
        ({"a": torch.zeros(1)}, Recipe(keep=("b.*",)), "none of the tensors wanted"),
        ({"a": torch.zeros(1).expand(10**7)}, Recipe(), "more tensors than a file of its size"),
        ({"a": torch.zeros(3).to_sparse()}, Recipe(), "no plain tensor"),
    ],
    ids=["too large", "none", "expanded", "sparse"],
)
def test_what_cannot_be_right_is_refused(tmp_path, content, recipe, words):
    with pytest.raises(WeightsError, match=words):
        transformed(saved(content, tmp_path / "net.pt"), recipe)


def test_code_in_a_pickle_is_refused_and_not_run(tmp_path):
    source = saved({"a": Bomb(tmp_path / "ran")}, tmp_path / "net.pt")
    with pytest.raises(WeightsError, match=r"nothing of it was run.*\(it asks for getattr"):
        convert(source, tmp_path / "net.safetensors", Recipe())
    assert [path.name for path in tmp_path.iterdir()] == ["net.pt"]


HOSTILE_CHILD = """
import sys
from pathlib import Path
from vcam.tensors import checkpoint
from vcam.weights import convert
def hostile(path, entry=None):  # as if the parser had been taken over
    import socket
    made = []
    for attempt in (lambda: Path({victim!r}).write_text("x"), lambda: Path({new!r}).touch(),
                    lambda: socket.socket(), lambda: __import__("os").system("touch " + {new!r})):
        try:
            made.append(attempt())
        except OSError as error:
            made.append(type(error).__name__)
    raise checkpoint.WeightsError(repr(made))
checkpoint.read_state = hostile
sys.exit(convert.child())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has Landlock and seccomp")
def test_a_parser_that_was_taken_over_can_change_and_reach_nothing(tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("precious")
    code = HOSTILE_CHILD.format(victim=str(victim), new=str(tmp_path / "new"))
    job = {"source": str(saved({"a": torch.zeros(1)}, tmp_path / "net.pt")), "recipe": {}}
    done = subprocess.run(
        [sys.executable, "-c", code], input=json.dumps(job), capture_output=True, text=True
    )
    verdict = json.loads(done.stderr.strip().splitlines()[-1])
    if "PermissionError" not in verdict["trouble"]:
        pytest.skip(f"this kernel locks nothing: {verdict}")
    assert verdict["trouble"].startswith(
        "['PermissionError', 'PermissionError', 'PermissionError', "
    )
    assert victim.read_text() == "precious"
    assert not (tmp_path / "new").exists()
    assert done.stdout == ""


def test_the_child_gets_no_secrets(monkeypatch):
    from vcam.weights.convert import _environment

    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    assert not [value for value in _environment().values() if "secret" in value]


def converted_all(jobs: list[tuple[Path, str]]) -> list[tuple[str, float]]:
    """What became of each file; a file that ends the process is "died", and the rest goes on."""
    outcomes: list[tuple[str, float]] = []
    while len(outcomes) < len(jobs):
        rest = json.dumps([[str(path), kind] for path, kind in jobs[len(outcomes) :]])
        done = subprocess.run(
            [sys.executable, "-m", "tests.fuzz_conversions"],
            input=rest, capture_output=True, text=True, timeout=400,
        )  # fmt: skip
        outcomes += [tuple(json.loads(line)) for line in done.stdout.splitlines() if line[0] == "["]
        if len(outcomes) < len(jobs):
            assert done.returncode < 0, done.stderr[-2000:]  # a signal, not our own failure
            outcomes.append(("died", 0.0))
    return outcomes


@pytest.mark.parametrize(
    "count", [200, pytest.param(2000, marks=pytest.mark.slow)], ids=["200", "2000"]
)
def test_crafted_files_are_refused_quickly_and_without_a_trace(tmp_path, count):
    folder = tmp_path / "deep" / "deeper"
    folder.mkdir(parents=True)
    jobs = []
    for name, kind, content in mutants(count, seed=count):
        (folder / name).write_bytes(content)
        jobs.append((folder / name, kind))
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    outcomes = converted_all(jobs)
    assert len(outcomes) == count
    assert max(seconds for _, seconds in outcomes) < SLOWEST
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    refused = sum(outcome != "converted" for outcome, _ in outcomes)
    assert refused > count / 2  # the mutations are no gentle ones

    fallen = {outcome for outcome, _ in outcomes} - {"refused", "converted", "died"}
    assert not fallen  # every refusal is one of ours, with a message

    bad = [job for job, (outcome, _) in zip(jobs, outcomes, strict=True) if outcome == "refused"]
    path, kind = bad[0]
    with pytest.raises(WeightsError):  # and so through the front door
        convert(path, tmp_path / "out.safetensors", Recipe(kind=kind))
    assert not list(tmp_path.glob("out*"))


def test_crafted_headers_are_refused(tmp_path):
    path = tmp_path / "x.safetensors"
    for name, _, content in mutants(2000, seed=7):
        if name.endswith(".safetensors"):
            path.write_bytes(content)
            try:
                tensorfile.read_header(path)
            except WeightsError:
                continue
            read_state(path)  # what the header check lets pass, the library reads
