#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Records what LiteLLM's own models of its management answers demand, as JSON Schemas.

    python tests/differential/account_shapes.py > tests/data/accounts/litellm_shapes.json

Run by the Python that has LiteLLM (tests/differential/requirements.lock).  tests/e2e/test_account_routes.py
holds kanmon's answers against the file, so that test needs no LiteLLM.
"""
import importlib.metadata
import json
import os

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

from pydantic import TypeAdapter  # noqa: E402

from litellm.proxy import _types as types  # noqa: E402
from litellm.types import tag_management  # noqa: E402

MODELS = {
    "team": types.LiteLLM_TeamTable,
    "team_listed": types.TeamListResponseObject,
    "team_member_added": types.TeamAddMemberResponse,
    "team_member_updated": types.TeamMemberUpdateResponse,
    "team_membership": types.LiteLLM_TeamMembership,
    "user": types.LiteLLM_UserTable,
    "user_counted": types.LiteLLM_UserTableWithKeyCount,
    "user_new": types.NewUserResponse,
    "user_info": types.UserInfoResponse,
    "end_user": types.LiteLLM_EndUserTable,
    "organization": types.LiteLLM_OrganizationTable,
    "organization_new": types.NewOrganizationResponse,
    "organization_info": types.LiteLLM_OrganizationTableWithMembers,
    "organization_member_added": types.OrganizationAddMemberResponse,
    "organization_membership": types.LiteLLM_OrganizationMembershipTable,
    "budget": types.LiteLLM_BudgetTableFull,
    "setting": types.ConfigList,
    "tag": tag_management.TagConfig,
}


def pruned(schema):
    """Without what says nothing of the shape."""
    if isinstance(schema, dict):
        return {name: pruned(value) for name, value in schema.items()
                if isinstance(value, dict) or name not in ("description", "title", "default")}
    return [pruned(item) for item in schema] if isinstance(schema, list) else schema


def main():
    shapes, defs = {}, {}
    for name, model in MODELS.items():
        shapes[name] = pruned(TypeAdapter(model).json_schema())
        defs.update(shapes[name].pop("$defs", {}))
    print('{"litellm": "%s",' % importlib.metadata.version("litellm"))
    for title, table in (("shapes", shapes), ("$defs", defs)):
        rows = [f"  {json.dumps(name)}: {json.dumps(table[name])}" for name in sorted(table)]
        print(f' "{title}": {{\n' + ",\n".join(rows) + ("\n }," if title == "shapes" else "\n }"))
    print("}")


main()
