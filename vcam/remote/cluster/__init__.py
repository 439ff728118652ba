"""Many engines behind one address: an ingress knows the rims, Ray has machines for them.

The ingress (`ingress`) is what laptops are paired with. It asks the `allocator`, which holds one
place for each rim in a `Fleet`; `ray_fleet` is the one that Ray Serve keeps. A place is a
`replica`: one engine with a key and a port of its own, which only the rim that was announced may
use. Sound and pictures go there directly; Ray carries neither. Open `allocator` first.
"""
