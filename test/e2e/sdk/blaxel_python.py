# SPDX-License-Identifier: Apache-2.0
"""
One walk through Blaxel's Python SDK: python3 blaxel_python.py URL. What came of each call is a line of JSON. The key and the
workspace come by the environment, as for any user of the package; the address can only be given in code.
"""

import json
import sys

from blaxel.core.client.api.integrations import list_integration_connections
from blaxel.core.client.api.models import create_model, delete_model, get_model, list_model_revisions, list_models, update_model
from blaxel.core.client.api.policies import create_policy, list_policies
from blaxel.core.client.client import client
from blaxel.core.client.models import Model, Policy


def tell(name, call):
    try:
        value = call()
        print(json.dumps({"call": name, "type": type(value).__name__, "value": plain(value)}), flush=True)
    except Exception as error:
        print(json.dumps({"call": name, "raised": type(error).__name__, "status": getattr(error, "status_code", None)}), flush=True)


def plain(value):
    if isinstance(value, list):
        return [plain(v) for v in value]
    return value.to_dict() if hasattr(value, "to_dict") else value


def model(upstream="gpt-4o-mini"):
    return Model.from_dict({"metadata": {"name": "of-python"},
                            "spec": {"integrationConnections": ["openai-main"], "runtime": {"type": "openai", "model": upstream}}})


def policy():
    return Policy.from_dict({"metadata": {"name": "of-python"},
                             "spec": {"type": "maxToken", "maxTokens": {"granularity": "day", "step": 1, "total": 10}}})


at = client.with_base_url(sys.argv[1])
tell("create", lambda: create_model.sync(client=at, body=model()))
tell("conflict", lambda: create_model.sync(client=at, body=model()))
tell("update", lambda: update_model.sync(client=at, model_name="of-python", body=model("gpt-4o")))
tell("get", lambda: get_model.sync(client=at, model_name="of-python"))
tell("missing", lambda: get_model.sync(client=at, model_name="nothing"))
tell("list", lambda: list_models.sync(client=at, limit=2))
tell("revisions", lambda: list_model_revisions.sync(client=at, model_name="of-python"))
tell("connections", lambda: list_integration_connections.sync(client=at))
tell("policies", lambda: list_policies.sync(client=at))
tell("forbidden", lambda: create_policy.sync(client=at, body=policy()))
tell("delete", lambda: delete_model.sync(client=at, model_name="of-python"))
