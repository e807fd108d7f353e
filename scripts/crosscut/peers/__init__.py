"""Comparison with other engines; scripts/compare-peers."""
