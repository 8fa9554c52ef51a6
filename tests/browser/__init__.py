"""The page in a real browser."""

STANDIN = ("-m", "tests.browser.standin")
"""The app on a model that needs no weights, as a program for `AppProcess`."""
