"""The control plane: the state store, what should be true, and what the workers report."""
