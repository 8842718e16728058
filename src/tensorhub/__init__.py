"""TensorHub: one store for every tensor a model ever becomes."""
