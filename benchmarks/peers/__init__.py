"""The programs that stand beside Modelport in a measurement, each as its documentation shows."""
