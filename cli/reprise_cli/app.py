"""What a command has at hand: the options, the output, and on demand the clients and the stack."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from reprise_cli.aws import Aws
from reprise_cli.exits import CommandError, UsageError
from reprise_cli.place import find_place, local_place
from reprise_cli.stack import find_schedules, no_schedules, read_stack

if TYPE_CHECKING:
    import typer

    from local_engine.control import Engine
    from reprise.aws.keys import SecretKeyring
    from reprise.aws.ledger_table import LedgerTable
    from reprise_cli.options import Options
    from reprise_cli.output import Output
    from reprise_cli.place import Place
    from reprise_cli.stack import Schedules, Stack


class App:
    """One run of the command."""

    def __init__(self, options: Options, out: Output, place: Place | None = None) -> None:
        """Take what was asked for, and where to go if that is known; nothing is reached yet."""
        self._place = place
        self.options = options
        self.out = out

    def for_stack(self, stack_name: str) -> App:
        """Return the same for another stack in the same place."""
        return type(self)(replace(self.options, stack_name=stack_name), self.out, self.place)

    def at(self, place: Place) -> App:
        """Return the same in another place."""
        return type(self)(self.options, self.out, place)

    @property
    def known_place(self) -> str:
        """Return where this works, in words, as far as it is known by now; nothing is asked."""
        place = self._place or self.__dict__.get("place")
        if place is None:
            return ""
        region = self.aws.region if "aws" in self.__dict__ else place.region
        words = [place.describe(os.environ), *([region] if region else [])]
        return f"{', '.join(words)}; stack {self.options.stack_name}"

    def say_place(self) -> None:
        """Say where something is about to be changed; the account, too, if AWS tells it."""
        from botocore.exceptions import BotoCoreError, ClientError

        account = ""
        if not self.place.is_engine:
            try:
                account = f"; account {self.aws.account}"
            except (BotoCoreError, ClientError):
                # Whoever may not ask may still change: the place is said without it.
                account = "; an account that STS does not tell"
        self.out.note(f"place: {self.known_place}{account}")

    @cached_property
    def operator(self) -> str:
        """Return who works here: the ARN that STS tells, or, where it tells nothing, that it does not."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return self.aws.caller
        except (BotoCoreError, ClientError):
            return "unknown (STS does not tell)"

    def need_answer(self, *, is_agreed: bool) -> None:
        """See to it that somebody can be asked, unless that was said already.

        Raises:
            UsageError: If not.
        """
        if not is_agreed and not sys.stdin.isatty():
            raise UsageError("--yes", "nobody can be asked here", "Say --yes; try --dry-run first")

    def confirm(self, question: str, *, is_agreed: bool) -> None:
        """Ask whether to go on, unless that was said already.

        Raises:
            UsageError: If nobody can be asked.
            CommandError: If the answer is no.
        """
        if is_agreed:
            return
        self.need_answer(is_agreed=False)
        self.out.notes.print(f"{question} [y/N]", end=" ", soft_wrap=True)
        if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
            raise CommandError("answer", "is no, so nothing was done", "Say y, or --yes")

    @cached_property
    def engine(self) -> Engine:
        """Return the local engine of this repository, running or not."""
        from local_engine.control import Engine

        return Engine()

    @cached_property
    def place(self) -> Place:
        """Return where the stack is; says so if that is an engine that nobody named."""
        if self._place is not None:
            return self._place
        import boto3

        profiles = boto3.Session().available_profiles
        place = find_place(self.options, os.environ, profiles, self._find_engine)
        if place.is_found_engine:
            self.out.note(f"no AWS settings: using the local engine at {place.endpoint_url}")
        return place

    @cached_property
    def aws(self) -> Aws:
        """Return the clients."""
        return Aws(self.place)

    @cached_property
    def stack(self) -> Stack:
        """Return the deployed stack."""
        return read_stack(self.aws.cloudformation, self.options.stack_name, self.aws.region)

    @cached_property
    def schedules_if_any(self) -> Schedules | None:
        """Return the add-on schedules beside the stack, if there is one."""
        return find_schedules(self.aws.cloudformation, self.options.schedules_name)

    @property
    def schedules(self) -> Schedules:
        """Return the add-on schedules beside the stack.

        Raises:
            CommandError: If it is not deployed.
        """
        if self.schedules_if_any is None:
            name, root = self.options.schedules_name, self.options.stack_name
            raise no_schedules(name, root, self.aws.region)
        return self.schedules_if_any

    @cached_property
    def ledger(self) -> LedgerTable:
        """Return the stack's ledger."""
        from reprise.aws.ledger_table import LedgerTable

        return LedgerTable(self.aws.dynamodb, self.stack.ledger_table)

    @cached_property
    def keyring(self) -> SecretKeyring:
        """Return the keys of the stack's sources, each read when it is first needed."""
        from reprise.aws.keys import SecretKeyring

        return SecretKeyring(self.aws.secrets, self.stack.name)

    def _find_engine(self) -> Place | None:
        return local_place(self.engine) if self.engine.health() is not None else None


def app_of(context: typer.Context) -> App:
    """Return what a command has at hand."""
    app: App = context.obj
    return app
