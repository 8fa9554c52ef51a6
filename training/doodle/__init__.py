"""Data, model, training and evaluation of the embedded model "doodle"."""
