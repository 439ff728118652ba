"""The neck of a FLAME head: what joins it to shoulders that do not turn."""

from __future__ import annotations

import torch
from torch import Tensor

from vcam.flame.model import JOINTS, ROOT, FlameHead

_CHIN = 8  # of the landmarks


def neck_top(head: FlameHead) -> Tensor:
    """A place on the neck's axis, as high as the chin of the head at rest, [3]."""
    still = torch.eye(3, device=head.template.device).expand(JOINTS, 3, 3)
    vertices = head.bent(head.template.new_zeros(100), still)
    chin = head.landmarks(vertices, head.template.new_zeros(()))[_CHIN]
    root = head.scale * head.joint_template[ROOT]
    return torch.stack([root[0], chin[1], root[2]])
