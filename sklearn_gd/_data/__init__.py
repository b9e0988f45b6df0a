"""Rows: what comes in, how it is checked, split, cut and drawn in batches."""
