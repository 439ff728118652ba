"""What can go wrong, and who is told.

VcamError            anything the user can act on: one line and exit code 1
├── ConfigError      a setting, profile or command line that cannot be used
├── MediaError       a sound or video file that cannot be read or written
├── DeviceError      a microphone, camera or sound server that is not there or refuses
│   ├── NoCamera     no virtual camera opens, and none was asked for by name
│   ├── NotRunning   no vcam is running that could be asked
│   └── Busy         another vcam of this user is running
├── WeightsError     a checkpoint that is missing, damaged, unsafe or of another model
└── EngineError      the engine process cannot be started or has died
    └── GaveUp       it cannot go on as things are, and may later
"""


class VcamError(Exception):
    """Something the user can act on; the message says what to do."""


class ConfigError(VcamError):
    """A setting, profile or command line that cannot be used."""


class MediaError(VcamError):
    """A sound or video file that cannot be read or written."""


class DeviceError(VcamError):
    """A microphone, camera or sound server that is not there or refuses."""


class NoCamera(DeviceError):
    """No virtual camera opens, and none was asked for by name."""


class NotRunning(DeviceError):
    """No vcam is running that could be asked."""


class Busy(DeviceError):
    """Another vcam of this user is running."""


class WeightsError(VcamError):
    """A checkpoint that is missing, damaged, unsafe or made for another network."""


class EngineError(VcamError):
    """The engine process cannot be started or has died."""


class GaveUp(EngineError):
    """An engine that cannot keep up, or has no memory, as things are; it may later."""
