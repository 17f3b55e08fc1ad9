"""`tfx.components.trainer`: training a model."""
