"""vcam: a voice goes in, a talking face comes out of a virtual camera.

    Microphone ─▶ RingBuffer ─link─▶ MotionModel ─▶ Renderer ─▶ MouthPainter ─link─▶ Playout ─▶ Camera
                                     └────────────── Pipeline.step ───────────┘
    rim process                      engine process                                  rim process

Reading order: `media` (what flows), `stages` (the seams), `pipeline` (the path), `engine`, `link`,
`session` (one live run), `cli`.
"""

__version__ = "0.1.0"
