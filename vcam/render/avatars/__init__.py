"""Faces that others have trained, bound to FLAME: FlashAvatar, SplattingAvatar. See `renderer`."""
