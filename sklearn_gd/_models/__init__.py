"""Objectives: networks and linear models, over datasets."""
