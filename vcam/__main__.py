"""python -m vcam, and the command `vcam`."""

from __future__ import annotations

from vcam.system import signals


def main() -> int:
    """Be the command line; whoever ends it while it is still being loaded gets no traceback."""
    try:
        with signals.listening():
            from vcam.cli import main

        return main.main()
    except signals.Ended as ended:
        return ended.code


if __name__ == "__main__":
    raise SystemExit(main())
