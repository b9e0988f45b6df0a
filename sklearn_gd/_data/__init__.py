"""Data: checks, arrays of other libraries, validation split, batches."""
