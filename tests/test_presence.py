import pytest

from vcam.errors import ConfigError
from vcam.presence import Presence


@pytest.mark.parametrize(
    ("on", "voice", "acting", "still"),
    [
        ((), True, True, False),
        (("muted",), False, False, False),
        (("idle",), True, False, False),
        (("hidden",), False, False, True),
        (("paused",), False, False, True),
        (("idle", "hidden"), False, False, True),
    ],
)
def test_what_others_hear_and_see(on, voice, acting, still):
    presence = Presence(**dict.fromkeys(on, True))
    assert (presence.voice, presence.acting, presence.still) == (voice, acting, still)
    assert Presence.of(str(presence)) == presence


def test_unknown_words_are_refused():
    with pytest.raises(ConfigError, match="asleep is no way to begin; known are live, muted"):
        Presence.of("muted,asleep")
    with pytest.raises(ConfigError, match="is no way to begin"):
        Presence.of("")
