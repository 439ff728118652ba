"""The engine on another machine: the same words as in `vcam.link`, over a stream of bytes.

`wire` says what travels, `film` codes pictures, `pace` keeps the stream from filling up. `fetch` is
the child process on the user's machine, which fills the same shared memory as a local engine;
`door` is the other end, with a local engine behind it; `server` has several behind one port, for
the machines in `trust`. Open `fetch` first.
"""
