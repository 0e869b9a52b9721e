"""Start the pinned AWS emulator with the behaviour of AWS restored where it differs.

Development tooling: no product code imports this package. Each correction is one
module of ``local_engine.corrections``, replaces named parts of ministack through
``local_engine.seams``, and has one canary in ``tests/local_engine`` that fails
on stock ministack.
"""

#: Version of the corrections, as the health answer reports it.
ENGINE_VERSION = "1.0.0"

#: The only ministack release the seams were written against.
MINISTACK_VERSION = "1.5.33"
