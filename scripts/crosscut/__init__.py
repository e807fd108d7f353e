"""Crosscut's Python side: models, the matrix, conformance, comparisons and records.

Nothing here is needed to compile or run a model; it drives `crosscut-compile`, `crosscut-run` and `crosscut-bench`.
"""
