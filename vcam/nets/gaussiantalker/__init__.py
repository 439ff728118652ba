"""GaussianTalker: sound, gaze and camera deform a person's own 3D Gaussians.

Paper: K. Cho, J. Lee, H. Yoon, Y. Hong, J. Ko, S. Ahn, S. Kim, "GaussianTalker: Real-Time
High-Fidelity Talking Head Synthesis with Audio-Driven 3D Gaussian Splatting" (ACM MM 2024).
Upstream: github.com/cvlab-kaist/GaussianTalker. Checkpoint: `deformation.pth`, whose keys the
modules below follow.

A tri-plane gives each Gaussian 64 features that never change (`planes`). For each frame four
tokens are made of sound, eyes, camera and nothing (`condition`); every Gaussian looks at the four,
and five heads say how its place, size, turn, opacity and colour depart from the stored ones
(`deform`). Open `net` first.
"""

from vcam.nets.gaussiantalker.condition import eye_code
from vcam.nets.gaussiantalker.deform import Offsets
from vcam.nets.gaussiantalker.net import GaussianTalkerNet, TalkerConfig

__all__ = ["GaussianTalkerNet", "Offsets", "TalkerConfig", "eye_code"]
