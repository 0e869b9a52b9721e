"""An existing function that calls another one. Nothing in it knows of Reprise."""

from __future__ import annotations

import json
import os
from typing import Any

import boto3

functions = boto3.client("lambda")


def handler(event: dict[str, Any], _context: object) -> object:
    """Order what the event says."""
    answer = functions.invoke(FunctionName=os.environ["ORDERS"], Payload=json.dumps(event))
    reply = json.loads(answer["Payload"].read())
    # A kept call looks like a function that failed: errorType "Reprise.Captured", and its id.
    if answer.get("FunctionError") == "Captured":
        return {"accepted": reply["reprise"]["id"]}
    if answer.get("FunctionError"):
        raise RuntimeError(reply["errorMessage"])
    return reply
