"""An avatar that was trained elsewhere becomes a profile. Start with `bring`.

`found` looks at what the user pointed at, `kinds` says what a kind of avatar is; each kind has a
file of its own. Everything is read through `vcam.tensors`, and nothing in it is run.
"""
