"""What holds for every test: a property is judged by what it finds, never by how fast a machine looks for it."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# As hypothesis does by itself where it knows a CI by its environment: the same examples in every run, on every machine.
settings.register_profile(
    "any pace", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True, database=None
)
settings.load_profile("any pace")
