"""PyTorch programs: TorchScript archives and `torch.export` archives. Grade: silver.

Both hold the program beside its weights, so that no class of the owner's is needed. They run on
the CPU, as they were saved: export a model in evaluation mode. Inputs and outputs are tensors of
numbers, also inside of tuples, lists and dicts. A `torch.save` pickle is refused: it holds no
program, and loading it runs code.

`script` and `exported` are the runtimes, `tensors` has what both need.
"""
