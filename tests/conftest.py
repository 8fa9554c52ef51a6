"""What all tests share: a slow machine is no failure."""

from hypothesis import HealthCheck, settings

# how long an example takes depends on what else runs; speed is asserted in no test
settings.register_profile(
    "any-machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any-machine")
