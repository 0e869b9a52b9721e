"""The whole pipeline on doubles, in simulated time, under a seed that breaks everything it may break.

One seed makes one scenario (what is captured, how the targets answer, which faults there are and how often)
and one order of events, on any machine. `Simulation(seed).run()` gives what was broken of the promise.
`python -m simulation --seeds 0-20000` runs many.
"""

from simulation.run import Simulation

__all__ = ["Simulation"]
