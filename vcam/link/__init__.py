"""The seam between the rim and the engine: sound up, frames down."""
