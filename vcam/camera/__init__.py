"""Frames to the world: a virtual camera, a video file, or memory."""
