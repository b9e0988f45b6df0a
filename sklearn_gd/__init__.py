"""Estimators for scikit-learn trained by gradient descent."""
