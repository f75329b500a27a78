"""The composition root: the processes, and the only place where the layers are wired together."""
