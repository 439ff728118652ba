"""The private PipeWire of the camera's tests."""

from tests.camera.conftest import picture_server, running_picture_server

__all__ = ["picture_server", "running_picture_server"]
