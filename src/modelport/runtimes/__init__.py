"""Models from files: one module per format, found by the file's ending through entry points.

An entry point of the group `modelport.formats` is named as the ending it reads, without the dot,
and points to a `Runtime`; its extra is the one that brings the library. A further format is one
module and one line in `pyproject.toml`, here or in another package.
"""
