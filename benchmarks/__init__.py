"""Measurements of Modelport beside other servers; see README.md."""
