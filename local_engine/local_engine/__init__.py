"""Start the pinned AWS emulator with the behaviour of AWS restored where it differs.

Development tooling, and a project of its own: it imports nothing of the product. The product imports
nothing of it but for the command, which takes ``control`` and ``key`` to start it in an interpreter of its
own, by the entry that ``reprise-local-engine`` has, too.

Each correction is one module of ``local_engine.corrections``, replaces named parts of ministack through
``local_engine.seams``, and has one canary in ``local_engine/tests`` that fails on stock ministack.
"""

#: Version of the corrections, as the health answer reports it.
ENGINE_VERSION = "1.0.0"

#: The only ministack release the seams were written against.
MINISTACK_VERSION = "1.5.33"
