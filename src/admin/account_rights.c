/* SPDX-License-Identifier: Apache-2.0 */
/* account_rights.c - who may do what with whose account: decided here and nowhere else.
 *
 *     the master key, the control socket, a key of a user who is proxy_admin: everything
 *     a key of a proxy_admin_viewer: look at everything
 *     a key of a team's admin, or of an org_admin of the team's organisation: look at the team,
 *         change it and its members, but none of its limits
 *     a key of an org_admin: look at the organisation, change its members
 *     a key of a member, or of the team itself: look at it
 *     a key of a user: look at himself; his name and address, unless he is an internal_user_viewer
 *     any other key: nothing
 *
 * Rights to change are those of who shows the key itself.  A program that somebody logged in to use
 * his tools, with an access token, and a token of another issuer have what any key has.
 *
 * The role is that of the user whom the key names, asked anew for each request: who loses it loses
 * it at once.
 */
#include "admin/account_inside.h"

struct km_str km_account_visitor(const struct km_admin *a)
{
    const struct km_principal *who = &a->v->who;

    return !who->admin && who->key ? who->key->row.user_id : KM_STR_NONE;
}

static bool has_role(struct km_admin *a, enum km_account_kind kind, struct km_str user,
                     struct km_str of, const char *role)
{
    struct km_account *acc =
        user.n ? km_accounts_find(a->v->w->gw->accounts, kind, user, of) : NULL;
    bool has = acc && (!role || km_str_eq(acc->row.role, km_str_c(role)));

    km_account_unref(acc);
    return has;
}

/* Was the key itself shown? */
static bool shows_key(const struct km_admin *a)
{
    const struct km_principal *who = &a->v->who;

    return who->key && !who->delegated && !who->issuer.n;
}

static bool is_user(struct km_admin *a, const char *role)
{
    return shows_key(a) && has_role(a, KM_ACCOUNT_USER, km_account_visitor(a), KM_STR_NONE, role);
}

static bool is_org_admin(struct km_admin *a, struct km_str org)
{
    return org.n && has_role(a, KM_ACCOUNT_ORG_MEMBER, km_account_visitor(a), org, "org_admin");
}

static bool may_look(struct km_admin *a, enum km_account_kind kind,
                     const struct km_account_row *row)
{
    struct km_str user = km_account_visitor(a);

    switch (kind) {
    case KM_ACCOUNT_TEAM:
        return (a->v->who.key && km_str_eq(a->v->who.key->row.team_id, row->id)) ||
               has_role(a, KM_ACCOUNT_MEMBER, user, row->id, NULL) ||
               is_org_admin(a, row->organization_id);
    case KM_ACCOUNT_ORGANIZATION:
        return has_role(a, KM_ACCOUNT_ORG_MEMBER, user, row->id, NULL);
    case KM_ACCOUNT_USER:
        return user.n && km_str_eq(user, row->id);
    default:
        return false;
    }
}

static bool may_change(struct km_admin *a, enum km_account_kind kind,
                       const struct km_account_row *row)
{
    struct km_str user = km_account_visitor(a);

    if (!shows_key(a) || is_user(a, "internal_user_viewer"))
        return false;
    switch (kind) {
    case KM_ACCOUNT_TEAM:
        return has_role(a, KM_ACCOUNT_MEMBER, user, row->id, "admin") ||
               is_org_admin(a, row->organization_id);
    case KM_ACCOUNT_ORGANIZATION:
        return is_org_admin(a, row->id);
    case KM_ACCOUNT_USER:
        return user.n && km_str_eq(user, row->id);
    default:
        return false;
    }
}

static int refuse_change(struct km_admin *a, enum km_account_kind kind,
                         const struct km_account_row *row, struct km_err *err)
{
    const char *route = a->v->match.route->pattern;
    struct km_str user = km_account_visitor(a);
    struct km_account *acc =
        user.n ? km_accounts_find(a->v->w->gw->accounts, KM_ACCOUNT_USER, user, KM_STR_NONE) : NULL;
    struct km_str role = acc && acc->row.role.n ? acc->row.role : KM_STR("none");
    int r;

    if (kind == KM_ACCOUNT_TEAM && row)
        r = km_fail(err, KM_E_FORBIDDEN,
                    "Call not allowed. User not proxy admin OR team admin. route=%s, team_id=%.*s",
                    route, KM_STR_ARG(row->id));
    else
        r = km_fail(err, KM_E_FORBIDDEN,
                    "Only proxy admin can be used to generate, delete, update info for new "
                    "keys/users/teams. Route=%s. Your role=%.*s",
                    route, KM_STR_ARG(role));
    km_account_unref(acc);
    return r;
}

int km_account_may(struct km_admin *a, enum km_account_right right, enum km_account_kind kind,
                   const struct km_account_row *row, struct km_err *err)
{
    if (a->v->who.admin || is_user(a, "proxy_admin"))
        return 0;
    if (right == KM_ACCOUNT_LOOK &&
        (is_user(a, "proxy_admin_viewer") || (row && may_look(a, kind, row))))
        return 0;
    if (right == KM_ACCOUNT_CHANGE && row && may_change(a, kind, row))
        return 0;
    return refuse_change(a, kind, row, err);
}
