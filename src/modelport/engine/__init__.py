"""From named tensors to named tensors: which version, where it runs, and how it got there."""
