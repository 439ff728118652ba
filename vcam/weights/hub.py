"""One file from the Hugging Face Hub into its cache: resumed, checked, or refused.

Everything goes through huggingface_hub, so HF_ENDPOINT, HF_HOME, HF_HUB_CACHE, HF_HUB_OFFLINE and
tokens mean what they mean elsewhere, and what other programs have downloaded is found. Its own
download begins anew in each process; here a partial file outlives a crash or a Ctrl-C.
"""

from __future__ import annotations

import errno
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, BinaryIO, Literal

from vcam.errors import WeightsError
from vcam.system import missing
from vcam.weights.ledger import digest

SPARE = 256 << 20  # bytes to leave free on the disk
_SHA256_LENGTH = 64

Watch = Callable[[Literal["download", "check"], int], None]  # what is done, and bytes so far


@dataclass(frozen=True, slots=True)
class Source:
    """A file in a repository, and what is known of it."""

    repository: str
    revision: str
    file: str
    size: int
    sha256: str | None

    def __str__(self) -> str:
        return f"{self.repository}/{self.file}"


@dataclass(frozen=True, slots=True)
class Fetched:
    """A file in the cache whose hash has been computed and, where known, compared."""

    path: Path
    sha256: str
    revision: str  # the commit it came from; empty when the cache does not say


@dataclass(frozen=True, slots=True)
class Hub:
    """Where to fetch from and to; None takes what the environment says."""

    endpoint: str | None = None
    cache: Path | None = None
    offline: bool = False
    free: Callable[[Path], int] = lambda folder: shutil.disk_usage(folder).free

    def fetch(self, source: Source, room: int, watch: Watch) -> Fetched:
        """The file, from the cache or the network; `room` bytes more must be free on the disk.

        Raises WeightsError that says what to do: nothing else was changed then but, when the
        content was wrong, that the file is gone.
        """
        library = _library()
        cache = self.cache or Path(library.constants.HF_HUB_CACHE)
        cached = library.try_to_load_from_cache(
            source.repository, source.file, cache_dir=cache, revision=source.revision
        )
        if isinstance(cached, str) and (found := _usable(Path(cached), source, watch)):
            return found
        if self.offline or library.constants.HF_HUB_OFFLINE:
            raise WeightsError(
                f"{source} is not in {cache}, and this is offline; run `vcam models pull` once "
                "with a network, or give the file to `vcam models add`"
            )
        with _explained(source, self.endpoint or library.constants.ENDPOINT, library):
            return self._download(source, room, watch, library, cache)

    def _download(
        self, source: Source, room: int, watch: Watch, library: ModuleType, cache: Path
    ) -> Fetched:
        url = library.hf_hub_url(
            source.repository, source.file, revision=source.revision, endpoint=self.endpoint
        )
        facts = library.get_hf_file_metadata(url, endpoint=self.endpoint)
        _demand_same(source, facts.etag, facts.size)
        folder = library.file_download.repo_folder_name(
            repo_id=source.repository, repo_type="model"
        )
        part = cache / folder / "blobs" / f"{facts.etag}.vcam"
        part.parent.mkdir(parents=True, exist_ok=True)
        with library.utils.WeakFileLock(cache / folder / "vcam.lock"):
            self._demand_room(part, source, room)
            _transfer(url, part, source.size, lambda at: watch("download", at), library)
            found = _checked(part, source, watch)
            part.replace(part.with_suffix(""))
        place = library.hf_hub_download(  # the content is there: this only names it
            source.repository, source.file, revision=source.revision,
            cache_dir=cache, endpoint=self.endpoint,
        )  # fmt: skip
        return Fetched(Path(place), found, facts.commit_hash or "")

    def _demand_room(self, part: Path, source: Source, room: int) -> None:
        wanted = source.size - (part.stat().st_size if part.exists() else 0) + room + SPARE
        if (free := self.free(part.parent)) < wanted:
            raise WeightsError(
                f"{source} needs {wanted / 1e9:.1f} GB on the disk of {part.parent}, where "
                f"{free / 1e9:.1f} GB are free; make room, or set HF_HOME and VCAM_MODELS"
            )


class _Counted:
    """A file that tells how far it has been written."""

    def __init__(self, file: BinaryIO, watch: Callable[[int], None]) -> None:
        self._file, self._watch = file, watch

    def write(self, block: bytes) -> int:
        written = self._file.write(block)
        self._watch(self._file.tell())
        return written

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def _transfer(
    url: str, part: Path, size: int, watch: Callable[[int], None], library: ModuleType
) -> None:
    """Download what `part` still lacks."""
    if part.exists() and part.stat().st_size > size:
        part.unlink()
    with part.open("ab") as file:
        file.seek(0, 2)
        library.file_download.http_get(
            url, _Counted(file, watch), resume_size=file.tell(), expected_size=size,
            headers=library.utils.build_hf_headers(), tqdm_class=_NoBar,
        )  # fmt: skip


class _NoBar:
    """In place of the library's progress bar: the command line draws its own."""

    def __init__(self, *args: object, **options: object) -> None:
        pass

    def __enter__(self) -> _NoBar:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def update(self, count: float | None = 1) -> None:
        """Nothing to draw."""


def _usable(path: Path, source: Source, watch: Watch) -> Fetched | None:
    """The cached file, if it is the right one; one that is damaged is removed."""
    found = digest(path, lambda done: watch("check", done))
    if source.sha256 in (None, found):
        return Fetched(path, found, _commit(path, source))
    blob = path.resolve()
    if blob.name == source.sha256:  # named after its hash, and no longer of that hash
        blob.unlink()
        path.unlink(missing_ok=True)
    return None


def _commit(path: Path, source: Source) -> str:
    """The cache keeps a file at snapshots/COMMIT/FILE."""
    return path.parents[source.file.count("/")].name


def _checked(part: Path, source: Source, watch: Watch) -> str:
    found = digest(part, lambda done: watch("check", done))
    if source.sha256 not in (None, found):
        part.unlink()
        raise WeightsError(
            f"{source} has sha256 {found}, not {source.sha256}: it was changed or damaged on the "
            "way and has been removed; try again, and if it stays so, do not use it"
        )
    return found


def _demand_same(source: Source, etag: str | None, size: int | None) -> None:
    """Refuse what the repository announces to be another file, before downloading it."""
    other = etag and len(etag) == _SHA256_LENGTH and source.sha256 not in (None, etag)
    if other or size not in (None, source.size):
        raise WeightsError(
            f"{source} at {source.revision} is another file now ({size} bytes, {etag}) than this "
            f"vcam knows ({source.size} bytes, {source.sha256}); look for a newer vcam"
        )


def _library() -> ModuleType:
    try:
        import huggingface_hub
        import huggingface_hub.errors
        import huggingface_hub.file_download
    except ImportError as error:
        raise missing.HUB.lacking(error) from error
    huggingface_hub.utils.logging.set_verbosity_error()  # type: ignore[no-untyped-call]  # theirs
    return huggingface_hub


@contextmanager
def _explained(source: Source, endpoint: str, library: ModuleType) -> Iterator[None]:
    """Turn what the library and the disk raise into one line that says what to do."""
    errors = library.errors
    page = f"{endpoint}/{source.repository}"
    try:
        yield
    except errors.GatedRepoError as error:
        raise WeightsError(
            f"{source.repository} asks for your consent: accept its terms at {page}, then "
            "`hf auth login`, then try again"
        ) from error
    except (
        errors.RepositoryNotFoundError, errors.RevisionNotFoundError, errors.EntryNotFoundError
    ) as error:  # fmt: skip
        raise WeightsError(
            f"{source} is not there at {source.revision} (404 at {page}); if it has moved, look "
            "for a newer vcam"
        ) from error
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise WeightsError(
                f"the disk is full; {source} is kept as far as it came: make room and try again"
            ) from error
        raise _broken(source, error) from error
    except errors.HTTPError as error:  # of the HTTP library in use, whichever that is
        raise _broken(source, error) from error


def _broken(source: Source, error: Exception) -> WeightsError:
    reason = (str(error) or type(error).__name__).splitlines()[0]
    return WeightsError(
        f"{source} could not be downloaded ({reason:.200}); what came is kept, try again"
    )
