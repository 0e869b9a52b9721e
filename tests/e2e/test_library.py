"""The library in a process that is no Lambda function: what it calls captured is replayed."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

from e2e.world import GUESTS, new_run
from reprise.ledger import State
from reprise_cli.place import exports

if TYPE_CHECKING:
    from e2e.world import World

CALL = """
import json, sys
import reprise
result = reprise.invoke(sys.argv[1], sys.argv[2])
print(json.dumps([result.status_code, result.call_id, result.not_captured]))
"""


def test_a_call_of_a_plain_process_is_captured_by_the_stack_and_replayed(
    world: World, guest: str
) -> None:
    made = world.reprise("sources", "add", "a-process", "--targets", GUESTS, "--json").document
    run = new_run()
    world.hold(guest)
    done = subprocess.run(
        [
            *(sys.executable, "-c", CALL, guest),
            json.dumps({"run": run, "call": 1, "behaviour": "ok"}),
        ],
        env={
            **exports(world.place),
            **made["environment"],
            "REPRISE_TARGETS": world.stack.target_arns,
            "REPRISE_CALL_TIMEOUT_S": "30",
            "REPRISE_LEDGER_TABLE": world.stack.ledger_table,
        },
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    status, call_id, not_captured = json.loads(done.stdout.splitlines()[-1])
    assert (status, not_captured) == (202, None), done.stdout
    assert "invocation.captured" not in done.stdout

    world.let_go(guest)
    (row,) = world.await_end([call_id])
    assert row.state is State.SUCCEEDED
    assert world.receipts(run) == [(1, True)]
