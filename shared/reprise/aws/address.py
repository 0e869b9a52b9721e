"""Say where a service is called, or why the SDK's own client is to call it.

Source: AWS SDKs and Tools reference guide, "Service-specific endpoints" and "Account-based endpoints".
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Final

from botocore.utils import get_environ_proxies

if TYPE_CHECKING:
    from botocore.session import Session

_UNUSUAL: Final = (
    *("use_fips_endpoint", "use_dualstack_endpoint", "data_path", "api_versions"),
    *("sigv4a_signing_region_set", "auth_scheme_preference", "csm_enabled"),
)
"""Settings of botocore's that are not known here."""


def region_of(session: Session) -> str | None:
    """Return the region to call."""
    found: str | None = os.environ.get("AWS_REGION") or session.get_config_variable("region")
    return found


def endpoint(session: Session, service: str, region: str) -> tuple[str, bool]:
    """Return a service's address, and whether the environment names it.

    Source: AWS SDKs and Tools reference guide, "Service-specific endpoints".
    """
    if not session.get_config_variable("ignore_configured_endpoint_urls"):
        for name in (f"AWS_ENDPOINT_URL_{service.upper()}", "AWS_ENDPOINT_URL"):
            if url := os.environ.get(name):
                return url, True
    partitions = session.get_component("data_loader").load_data("partitions")["partitions"]
    found = (
        each
        for each in partitions
        if region in each["regions"] or re.match(each["regionRegex"], region)
    )
    suffix = next(found, partitions[0])["outputs"]["dnsSuffix"]
    return f"https://{service}.{region}.{suffix}", False


def why_not(session: Session, service: str) -> str | None:
    """Return why the SDK's own client is to call a service; None if it need not."""
    setting = session.get_config_variable
    unusual = [name for name in _UNUSUAL if setting(name)]
    unusual += [
        name for name in ("services", "endpoint_url") if name in session.get_scoped_config()
    ]
    if str(setting("endpoint_discovery_enabled")).lower() not in {"auto", "false"}:
        unusual.append("endpoint_discovery_enabled")
    if unusual:
        return f"not known here: {', '.join(unusual)}"
    region = region_of(session)
    # A name like `fips-us-east-1` is no region, but asks for an address of another kind.
    if not region or region == "local" or "fips" in region:
        return f"region: {region}"
    url, is_named = endpoint(session, service, region)
    if get_environ_proxies(url):
        return "a proxy is set"
    # DynamoDB has an address for each account, and by default the SDK takes it if credentials
    # name the account.
    mode = str(setting("account_id_endpoint_mode")).lower()
    account = getattr(session.get_credentials(), "account_id", None)
    if (
        service == "dynamodb"
        and not is_named
        and (mode == "required" or (account and mode != "disabled"))
    ):
        return "an address of the account's own"
    return None
