"""Doubles of the runner's ports, for tests."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from reprise.testing import Faults
from reprise_schedules.run import JobState


@dataclass(slots=True)
class InMemoryJobs:
    """Jobs, written on condition."""

    states: dict[str, JobState] = field(default_factory=dict)
    faults: Faults = field(default_factory=Faults)

    def read(self, job: str) -> JobState:
        """Return a job."""
        self.faults.check("read")
        return self.states.get(job, JobState())

    def write(self, job: str, state: JobState) -> JobState | None:
        """Write a state computed from its version; return None, or what is there instead."""
        self.faults.check("write")
        there = self.states.get(job, JobState())
        after = replace(state, version=state.version + 1)
        if there.version != state.version:
            return None if there == after else there
        self.states[job] = after
        return None
