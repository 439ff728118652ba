"""vcam: a voice goes in, a talking face comes out of a virtual camera.

    Microphone ─▶ RingBuffer ─┐                            rim process: devices, clock, HUD
                             link
      MotionModel ─▶ Renderer ─▶ MouthPainter              engine process: Pipeline.step
                             link
                  Camera ◀─ Playout ◀┘                     rim process again

Reading order: `media` (what flows), `stages` (the seams), `pipeline` (the path), `engine`, `link`,
`session` (one live run), `cli`.
"""

__version__ = "0.1.0"
