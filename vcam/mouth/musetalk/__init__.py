"""The mouth repainted by MuseTalk 1.5. Start with `painter`."""
