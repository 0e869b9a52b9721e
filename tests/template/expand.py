"""Expand the templates on stdin, a JSON object by path; runs in the SAM CLI's environment."""

from __future__ import annotations

import json
import sys

from samtranslator.translator.transform import transform


class _NoManagedPolicies:
    """Stands for IAM: the roles are written out, so none is ever looked up."""

    @staticmethod
    def load() -> dict[str, str]:
        return {}


if __name__ == "__main__":
    templates = json.load(sys.stdin)
    json.dump(
        {path: transform(body, {}, _NoManagedPolicies) for path, body in templates.items()},
        sys.stdout,
    )
