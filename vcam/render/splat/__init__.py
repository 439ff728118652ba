"""Splatting: 3D Gaussians seen by a camera -> 32 feature channels and their coverage.

After Kerbl et al., "3D Gaussian Splatting" (SIGGRAPH 2023), forward only, with the rules of the
rasteriser that GAGAvatar was trained with. `exact` is plain PyTorch and slow, `tables` is Triton
and fast, `gsplat_backend` is the gsplat library, whose rules differ a little. All three take the
same `Cloud` and offer the same `draw`.
"""
