"""What every test shares: the hypothesis profiles."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, Phase, settings

# No deadline: two busy cores make honest code slow. Derandomised in CI, so that a red build is red again.
settings.register_profile(
    "default",
    max_examples=50,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("ci", settings.get_profile("default"), derandomize=True, database=None)
# A mutant is noticed by the first example that fails; nobody reads a smaller one.
settings.register_profile(
    "mutation", settings.get_profile("ci"), phases=(Phase.explicit, Phase.generate)
)
settings.register_profile("deep", settings.get_profile("default"), max_examples=2000)
settings.load_profile(
    os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "default")
)

# The command is as wide as this says, and a terminal's width is no test's business.
os.environ.pop("COLUMNS", None)
