"""Every state of a small world, to the last: ledger, gate and queues under the product's own code.

What is explored is no model of the product. A process is a run of the product's own replayer, unpacker,
invoker, redriver or canceller, composed by `reprise.wiring` (by way of `harness.Pipeline`), which is
suspended at each request that it makes and continued with each answer that it may get (`tape`, `roles`).
Each step is one request: of DynamoDB (evaluated by `simulation.dynamodb`, and so by the product's own
expressions), of SQS, of the target. Between any two steps of a process any steps of all others may come
(`world`). A state is the table's items, the queues, the letters, and where each process stands; states are
hashed, and the search goes breadth first (`search`), so that a trace of what is broken is a shortest one.
From every state it also goes on without faults to the end of all calls: what cannot end is stuck, and what
ends must end well. What must hold is in `promise`, by the numbers of DESIGN.md, section 1.

At every step may come: a crash; a request that is refused, or done with its answer lost, or done twice by
the SDK; a batch of messages sent in part; a second delivery of a message, before its wait is over or while
the first one is at work, with or without its deletion by the other; a process that outlives its time, whose
leases, permits and visibility have run out; an execution that fails or is throttled; a redrive; a live call
by the key of any captured call, and with it a live success; a cancellation.

Bounded, and so not shown:

- How many of these come in one run (`Bounds`): one, and a redrive after it, in the scenes that are explored
  by default. How often time passes: one tick (300 s) is longer than every lease, backoff, probe's gap and
  visibility timeout, so that what is due by time is all due, or nothing is. That one of them is due before
  another is explored only as an early delivery.
- A replayer's batch is one message, and an unpacker's one object. Two lanes of one batch stand for two
  replayers but in what they share: taking leases and telling ends together (`lease_all`, `settle_all`).
- A batch of DynamoDB is one step, whose statements do not fail one by one. S3 and the keys do not fail.
- A request whose answer was lost is done at once, or never: none arrives later.
- One target, calls captured as throttled, draws of 0.5. Throttles of the whole account do not come.
- A state is told from others by a hash of 64 bits.

`make explore` explores `scenes.SCENES`, and with SCENE= one of the deep ones, which are far larger. The
unit tests explore smaller worlds, and worlds with planted faults.
"""
