"""The made-up head in the layout of the file that upstream publishes."""

from __future__ import annotations

import torch

from vcam.flame import FlameModel
from vcam.synthetic_flame import EXPRESSIONS, SHAPES, made_up_model

__all__ = ["EXPRESSIONS", "SHAPES", "as_published", "made_up_model"]


def as_published(model: FlameModel) -> dict[str, object]:
    """The model in the layout of the file that upstream publishes."""
    table, count = model.landmarks, len(model.template)
    eyes = torch.zeros(1, 70, dtype=torch.int64), torch.zeros(1, 70, 3)
    eyes[0][0, 68:], eyes[1][0, 68:] = table.eye_faces, table.eye_weights
    return {
        "flame_model": {
            "f": model.faces,
            "v_template": model.template,
            "shapedirs": torch.cat([model.shape_basis, model.expression_basis], 2),
            "posedirs": model.pose_basis.T.reshape(count, 3, -1).contiguous(),
            "J_regressor": model.regressor,
            "kintree_table": torch.tensor([[0, *model.parents[1:]], [0, 1, 2, 3, 4]]),
            "weights": model.weights,
        },
        "lmk_embeddings": {
            "dynamic_lmk_faces_idx": table.contour_faces,
            "dynamic_lmk_bary_coords": table.contour_weights,
            "static_lmk_faces_idx": table.inner_faces,
            "static_lmk_bary_coords": table.inner_weights,
            "full_lmk_faces_idx_with_eye": eyes[0],
            "full_lmk_bary_coords_with_eye": eyes[1],
        },
    }
