"""Start the pinned AWS emulator with the behaviour of AWS restored where it differs.

Development tooling: nothing that runs in Lambda imports this package, and the command
no more than ``control`` and ``key``, which start it in an interpreter of its own. Each correction is one
module of ``local_engine.corrections``, replaces named parts of ministack through
``local_engine.seams``, and has one canary in ``local_engine/tests`` that fails
on stock ministack.
"""

#: Version of the corrections, as the health answer reports it.
ENGINE_VERSION = "1.0.0"

#: The only ministack release the seams were written against.
MINISTACK_VERSION = "1.5.33"
