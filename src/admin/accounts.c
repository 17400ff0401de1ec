/* SPDX-License-Identifier: Apache-2.0 */
/* accounts.c - the kinds of account that have routes, and the routes.
 *
 * A verb has one handler, whatever it is done to: a route's data says the kind.  Every change has
 * its turn (admin.h), and who may do it is asked by the handler (account_rights.c), since that
 * depends on whose account it is: the routes let in any key.
 */
#include "admin/accounts.h"

#include "admin/account_inside.h"

#define BODY_BYTES (256 * 1024)

static const struct km_account_sort team = {
    .kind = KM_ACCOUNT_TEAM,
    .unknown = { "Team not found, passed team_id=", "" },
    .exists = { "Team id = ", " already exists. Please use a different team id." },
    .exists_code = KM_E_INVALID,
    .asked = "team_id",
    .many = "team_ids",
};
static const struct km_account_sort user = {
    .kind = KM_ACCOUNT_USER,
    .unknown = { "User not found, passed user_id=", "" },
    .exists = { "User with id ", " already exists" },
    .exists_code = KM_E_EXISTS,
    .asked = "user_id",
    .many = "user_ids",
};
static const struct km_account_sort end_user = {
    .kind = KM_ACCOUNT_END_USER,
    .unknown = { "End User Id=", " does not exist in db" },
    .exists = { "Customer already exists, passed user_id=", ". Please pass a new user_id." },
    .exists_code = KM_E_INVALID,
    .asked = "end_user_id",
    .many = "user_ids",
    .own_id = true,
};
static const struct km_account_sort organization = {
    .kind = KM_ACCOUNT_ORGANIZATION,
    .unknown = { "Organization not found for organization_id=", "" },
    .exists = { "Organization with id '", "' already exists." },
    .exists_code = KM_E_INVALID,
    .asked = "organization_id",
    .many = "organization_ids",
};
static const struct km_account_sort budget = {
    .kind = KM_ACCOUNT_BUDGET,
    .unknown = { "Budget not found, passed budget_id=", "" },
    .exists = { "Budget with id '", "' already exists." },
    .exists_code = KM_E_INVALID,
    .one = "id",
};
static const struct km_account_sort tag = {
    .kind = KM_ACCOUNT_TAG,
    .unknown = { "Tag ", " not found" },
    .exists = { "Tag ", " already exists" },
    .exists_code = KM_E_INVALID,
    .one = "name",
    .own_id = true,
};

KM_ADMIN_CHANGE(on_new, BODY_BYTES, km_account_new)
KM_ADMIN_CHANGE(on_update, BODY_BYTES, km_account_update)
KM_ADMIN_CHANGE(on_delete, BODY_BYTES, km_account_delete)
KM_ADMIN_CHANGE(on_block, BODY_BYTES, km_account_block)
KM_ADMIN_CHANGE(on_unblock, BODY_BYTES, km_account_unblock)
KM_ADMIN_CHANGE(on_member_add, BODY_BYTES, km_member_add)
KM_ADMIN_CHANGE(on_member_update, BODY_BYTES, km_member_update)
KM_ADMIN_CHANGE(on_member_delete, BODY_BYTES, km_member_delete)
KM_ADMIN_CHANGE(on_model_add, BODY_BYTES, km_team_model_add)
KM_ADMIN_CHANGE(on_model_delete, BODY_BYTES, km_team_model_delete)
KM_ADMIN_HANDLER(on_info, BODY_BYTES, km_account_info)
KM_ADMIN_HANDLER(on_info_alone, BODY_BYTES, km_user_info_alone)
KM_ADMIN_HANDLER(on_info_many, BODY_BYTES, km_account_info_many)
KM_ADMIN_HANDLER(on_list, BODY_BYTES, km_account_list)
KM_ADMIN_HANDLER(on_list_page, BODY_BYTES, km_account_list_page)
KM_ADMIN_HANDLER(on_settings, BODY_BYTES, km_budget_settings)
KM_ADMIN_HANDLER(on_available, BODY_BYTES, km_team_available)

#define ROW(method, path, handler, sort) { method, path, handler, KM_AUTH_KEY, &(sort) }

/* The methods are LiteLLM's. */
static const struct km_route rows[] = {
    ROW("POST", "/team/new", on_new, team),
    ROW("POST", "/team/update", on_update, team),
    ROW("POST", "/team/delete", on_delete, team),
    ROW("GET", "/team/info", on_info, team),
    ROW("GET", "/team/list", on_list, team),
    ROW("GET", "/v2/team/list", on_list_page, team),
    ROW("GET", "/team/available", on_available, team),
    ROW("POST", "/team/block", on_block, team),
    ROW("POST", "/team/unblock", on_unblock, team),
    ROW("POST", "/team/member_add", on_member_add, team),
    ROW("POST", "/team/member_update", on_member_update, team),
    ROW("POST", "/team/member_delete", on_member_delete, team),
    ROW("POST", "/team/model/add", on_model_add, team),
    ROW("POST", "/team/model/delete", on_model_delete, team),
    ROW("POST", "/user/new", on_new, user),
    ROW("POST", "/user/update", on_update, user),
    ROW("POST", "/user/delete", on_delete, user),
    ROW("GET", "/user/info", on_info, user),
    ROW("GET", "/v2/user/info", on_info_alone, user),
    ROW("GET", "/user/list", on_list_page, user),
    ROW("POST", "/customer/new", on_new, end_user),
    ROW("POST", "/customer/update", on_update, end_user),
    ROW("POST", "/customer/delete", on_delete, end_user),
    ROW("GET", "/customer/info", on_info, end_user),
    ROW("GET", "/customer/list", on_list, end_user),
    ROW("POST", "/customer/block", on_block, end_user),
    ROW("POST", "/customer/unblock", on_unblock, end_user),
    ROW("POST", "/end_user/new", on_new, end_user),
    ROW("POST", "/end_user/update", on_update, end_user),
    ROW("POST", "/end_user/delete", on_delete, end_user),
    ROW("GET", "/end_user/info", on_info, end_user),
    ROW("GET", "/end_user/list", on_list, end_user),
    ROW("POST", "/end_user/block", on_block, end_user),
    ROW("POST", "/end_user/unblock", on_unblock, end_user),
    ROW("POST", "/organization/new", on_new, organization),
    ROW("PATCH", "/organization/update", on_update, organization),
    ROW("DELETE", "/organization/delete", on_delete, organization),
    ROW("GET", "/organization/info", on_info, organization),
    ROW("POST", "/organization/info", on_info_many, organization),
    ROW("GET", "/organization/list", on_list, organization),
    ROW("POST", "/organization/member_add", on_member_add, organization),
    ROW("PATCH", "/organization/member_update", on_member_update, organization),
    ROW("DELETE", "/organization/member_delete", on_member_delete, organization),
    ROW("POST", "/budget/new", on_new, budget),
    ROW("POST", "/budget/update", on_update, budget),
    ROW("POST", "/budget/delete", on_delete, budget),
    ROW("POST", "/budget/info", on_info_many, budget),
    ROW("GET", "/budget/list", on_list, budget),
    ROW("GET", "/budget/settings", on_settings, budget),
    ROW("POST", "/tag/new", on_new, tag),
    ROW("POST", "/tag/update", on_update, tag),
    ROW("POST", "/tag/delete", on_delete, tag),
    ROW("POST", "/tag/info", on_info_many, tag),
    ROW("GET", "/tag/list", on_list, tag),
};

const struct km_route_rows km_account_routes = { rows, sizeof rows / sizeof rows[0] };
