"""The fleet that Ray Serve keeps: as many replicas as asked for, a share of a GPU each.

Serve has no proxy here, and Ray no dashboard: requests come from the ingress alone, through a
handle. A request that streams holds a replica; when it ends, the replica is free.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import queue
import secrets
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vcam import clock
from vcam.errors import ConfigError, EngineError
from vcam.remote.cluster.allocator import Holding, NoPlace, Places
from vcam.remote.cluster.avatar import Avatar, Place
from vcam.remote.trust import Known
from vcam.system.missing import RAY

APP, NAME = "vcam", "avatar"
MODE, TOKEN = "RAY_AUTH_MODE", "RAY_AUTH_TOKEN_PATH"  # variables by which Ray knows its own
LONGEST_CALL = 7200.0  # seconds that a replica which is stopped waits for its session to end
_STORE = 80 << 20  # bytes of Ray's store of objects: nothing of ours lies there
_READY = 120.0  # seconds in which the first replica must be ready
_FRESH = 0.5  # seconds that a count of replicas is believed
_COMING = ("STARTING", "UPDATING", "RECOVERING", "PENDING_MIGRATION")


@dataclass(frozen=True, slots=True)
class Size:
    """Of a fleet, and of a place in it."""

    least: int = 2  # replicas, one of them to spare
    most: int = 2
    gpu: float = 0.0  # share of one; it places replicas, and limits neither memory nor time
    cpus: float = 2.0
    network: str = "127.0.0.0/8"  # where rims find replicas
    first_port: int = 0
    last_port: int = 0

    def options(self) -> dict[str, Any]:
        """As Serve wants them for a deployment."""
        count: dict[str, Any] = {"num_replicas": self.least}
        if self.most > self.least:
            scaling: dict[str, float] = {"min_replicas": self.least, "max_replicas": self.most}
            scaling |= {"target_ongoing_requests": 0.7}  # so that there is always one to spare
            scaling |= {"upscale_delay_s": 2, "downscale_delay_s": 600}
            count = {"autoscaling_config": scaling}
        return count | {
            "name": NAME,
            "max_ongoing_requests": 1,  # one session
            "max_queued_requests": 4,  # else a full cluster is silence
            "graceful_shutdown_timeout_s": LONGEST_CALL,
            "health_check_period_s": 2,
            "health_check_timeout_s": 10,
            "ray_actor_options": {"num_gpus": self.gpu, "num_cpus": self.cpus},
        }


class RayFleet:
    """Replicas of one deployment."""

    def __init__(self, size: Size, now: Callable[[], float] = clock.now) -> None:
        """Deploys them where Ray is; waits for the first. Raises EngineError."""
        self._serve, self._now = RAY.load(), now
        _demand(size)
        self._counted, self._places = -_FRESH, Places(0)
        serve = self._serve
        serve.start(proxy_location="Disabled")
        deployment = serve.deployment(Avatar, **size.options())
        app = deployment.bind(size.network, size.first_port, size.last_port)
        try:
            handle = serve.run(app, name=APP, route_prefix=None, blocking=False)
        except RuntimeError as error:
            raise EngineError(f"no replica starts ({_first_line(error)})") from error
        self._handle = handle.options(method_name="hold", stream=True)

    @property
    def places(self) -> Places:
        """How many replicas are ready, and how many are starting."""
        if self._now() - self._counted >= _FRESH:
            self._places, self._counted = self._count(), self._now()
        return self._places

    def _count(self) -> Places:
        found = self._serve.status().applications.get(APP)
        if found is None or NAME not in found.deployments:
            return Places(0)
        states = {str(k): n for k, n in found.deployments[NAME].replica_states.items()}
        return Places(states.get("RUNNING", 0), sum(states.get(each, 0) for each in _COMING))

    def hold(self, rim: Known, wait: float) -> Holding:
        """A replica for this rim, as `Fleet` has it."""
        held = RayHolding(self._handle.remote(rim.certificate))
        return held.within(wait)

    def close(self) -> None:
        """No replicas any more."""
        self._serve.delete(APP, _blocking=False)
        self._serve.shutdown()


def _demand(size: Size) -> None:
    """Raise ConfigError where Ray would wait for ever for machines that it does not have."""
    import ray

    have = ray.cluster_resources()
    for name, share in (("GPU", size.gpu), ("CPU", size.cpus)):
        if have.get(name, 0.0) < share * size.least:
            raise ConfigError(
                f"{size.least} places of {share:g} {name} each were asked for, and Ray has "
                f"{have.get(name, 0.0):g} {name} in all"
            )


class RayHolding:
    """A request that holds a replica; a thread waits for its end."""

    def __init__(self, stream: Any) -> None:
        """`stream` gives a `Place`, and ends with the session."""
        self._stream = stream
        self._first: queue.SimpleQueue[Place | None] = queue.SimpleQueue()
        self.place = Known("replica", "")
        self.pid = 0  # of the replica, on its machine
        self.trouble = ""
        self._over = threading.Event()
        threading.Thread(target=self._wait, daemon=True, name="vcam-holding").start()

    @property
    def ended(self) -> bool:
        """Whether the replica is held no more."""
        return self._over.is_set()

    def within(self, seconds: float) -> RayHolding:
        """Itself, once it has a place. Raises NoPlace."""
        try:
            found = self._first.get(timeout=seconds)
        except queue.Empty:
            found = None
        if found is None:
            self.release()
            raise NoPlace("no replica is free")
        address, port, certificate, self.pid = found
        self.place = Known("replica", certificate, address, port)
        return self

    def release(self) -> None:
        """Let go of it; a session there ends."""
        if not self.ended:
            self._stream.cancel()

    def _wait(self) -> None:
        """Ray raises many things when a replica dies, is full or is cancelled: it is over."""
        try:
            for place in self._stream:
                self._first.put(place)
        except Exception as error:
            self.trouble = str(error)
        self._over.set()
        self._first.put(None)


@contextlib.contextmanager
def ray_here(cpus: float | None = None, gpus: float | None = None) -> Iterator[None]:
    """A Ray of this machine alone, with a token that only this user can read.

    It is told loopback and no dashboard, and listens everywhere all the same: docs/cluster.md.
    """
    folder = Path(tempfile.mkdtemp(prefix="vcam-ray-"))  # 0700: Ray opens its own to everybody
    try:
        with _environment(_own_token(folder / "token")):  # read when Ray is imported
            RAY.load()
            import ray

            _begun(
                ray,
                address="local",
                _node_ip_address="127.0.0.1",
                include_dashboard=False,
                num_cpus=cpus,
                num_gpus=gpus,
                object_store_memory=_STORE,
                _temp_dir=str(folder / "ray"),
            )
            try:
                yield
            finally:
                ray.shutdown()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def ray_at(address: str) -> Iterator[None]:
    """A Ray that runs already, in a private network. Raises ConfigError, EngineError."""
    checked(address, os.environ.get(MODE, ""))
    RAY.load()
    import ray

    _begun(ray, address=address)
    try:
        yield
    finally:
        ray.shutdown()


def _begun(ray: Any, **options: object) -> None:
    """Be one of a Ray. Raises EngineError."""
    try:
        ray.init(log_to_driver=False, configure_logging=False, **options)
    except Exception as error:  # of many kinds, and all of them mean that there is none
        raise EngineError(f"there is no Ray ({_first_line(error)})") from error


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def checked(address: str, mode: str) -> None:
    """Whether Ray may be spoken to there. Raises ConfigError."""
    host, _, port = address.rpartition(":")
    try:
        found = ipaddress.ip_address(host.strip("[]"))
    except ValueError as error:
        raise ConfigError(f"--ray {address:.60}: give ADDRESS:PORT, as 10.0.0.20:6379") from error
    if not port.isdigit() or not found.is_private or found.is_unspecified:
        raise ConfigError(
            f"--ray {address} is in no private network; whoever reaches a Ray can run programs "
            "on all of its machines (docs/cluster.md)"
        )
    if mode != "token":
        raise ConfigError(
            f"the Ray at {address} would take orders from anybody who reaches it; set {MODE}=token "
            "here and on all of its machines (docs/cluster.md)"
        )


def _own_token(path: Path) -> dict[str, str]:
    """Variables for a Ray that obeys who can read `path` alone, which is written."""
    path.touch(0o600)
    path.write_text(secrets.token_hex(32))
    private = {MODE: "token", TOKEN: str(path), "RAY_USAGE_STATS_ENABLED": "0"}
    return private | {"RAY_worker_niceness": "0"}  # else replicas give way to everything, at 15


@contextlib.contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
