"""A small Hugging Face Hub on loopback: enough of its protocol to download from, with faults."""

from __future__ import annotations

import contextlib
import hashlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COMMIT = "c0ffee" * 6 + "abcd"


@dataclass
class HubServer:
    """Serves `files` (repository/path -> content); what to do wrong, and what was asked for."""

    files: dict[str, bytes] = field(default_factory=dict)
    cut_after: list[int] = field(default_factory=list)  # bytes after which a download breaks off
    spoil: bool = False  # send other bytes than announced
    gated: bool = False
    ignore_ranges: bool = False
    gets: list[tuple[str, str | None]] = field(default_factory=list)  # path, Range
    heads: int = 0
    tokens: set[str] = field(default_factory=set)
    endpoint: str = ""
    storage: str = ""  # the other server, where large files lie


@contextlib.contextmanager
def serving() -> Iterator[HubServer]:
    """A hub for one test."""
    hub = HubServer()
    with _listening(hub) as hub.endpoint, _listening(hub) as hub.storage:
        yield hub


@contextlib.contextmanager
def _listening(hub: HubServer) -> Iterator[str]:
    handler = type("Handler", (_Handler,), {"hub": hub})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    hub: HubServer
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self.hub.heads += 1
        if self.path.startswith("/blob/"):  # some versions of the library follow to here
            self.send_response(200)
            self._facts(content := self.hub.files[self.path.removeprefix("/blob/")])
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            return
        content = self._content()
        if content is not None:
            self.send_response(302)
            self._facts(content)
            self.send_header("Location", self._blob())
            self.send_header("Content-Length", "0")
            self.end_headers()

    def do_GET(self) -> None:
        if self.path.startswith("/blob/"):
            self._send(self.hub.files[self.path.removeprefix("/blob/")])
        elif (content := self._content()) is not None:
            self.send_response(302)
            self._facts(content)
            self.send_header("Location", self._blob())
            self.send_header("Content-Length", "0")
            self.end_headers()

    def _blob(self) -> str:
        return f"{self.hub.storage}/blob/{self._key()}"

    def _key(self) -> str:
        repository, _, rest = self.path.lstrip("/").partition("/resolve/")
        return f"{repository}/{rest.partition('/')[2]}"

    def _content(self) -> bytes | None:
        if "/resolve/" in self.path:  # the library asks for other things besides
            self.hub.tokens.add(self.headers.get("Authorization", ""))
        if self.hub.gated:
            self._refuse(403, "GatedRepo")
        elif self._key() not in self.hub.files:
            self._refuse(404, "EntryNotFound")
        else:
            return self.hub.files[self._key()]
        return None

    def _refuse(self, status: int, code: str) -> None:
        self.send_response(status)
        self.send_header("X-Error-Code", code)
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _facts(self, content: bytes) -> None:
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("X-Linked-Size", str(len(content)))
        self.send_header("X-Linked-Etag", f'"{hashlib.sha256(content).hexdigest()}"')

    def _send(self, content: bytes) -> None:
        wanted = self.headers.get("Range")
        self.hub.gets.append((self.path, wanted))
        if self.headers.get("Authorization"):
            self.hub.tokens.add("leaked to the other server")
        start = 0
        if wanted and not self.hub.ignore_ranges:
            start = int(wanted.removeprefix("bytes=").partition("-")[0])
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        else:
            self.send_response(200)
        body = content[start:]
        if self.hub.spoil:
            body = bytes(byte ^ 1 for byte in body)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.hub.cut_after:
            self.wfile.write(body[: self.hub.cut_after.pop(0)])
            self.wfile.flush()
            self.close_connection = True
            self.connection.shutdown(2)
        else:
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """A test server says nothing."""
