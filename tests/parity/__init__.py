"""Our networks against stored reference tensors: one module per network, run by scripts/parity.

Each module offers `check(folder, report, device="cpu", small=False)`, which runs whatever files of
its network lie in `folder` (`small`: only the small variants) and fills `report`.
"""
