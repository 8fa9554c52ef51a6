"""The app from outside, as a person meets it: a server in a process and a page in a browser.

Tests, benchmarks and the README's screenshots drive it with this; it is not part of the package.
"""
