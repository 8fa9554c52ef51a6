"""Training code of the models this project ships. Never imported by `turbo_ui`."""
