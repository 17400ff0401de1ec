/* SPDX-License-Identifier: Apache-2.0 */
/* account_inside.h - private to admin/: the routes of accounts, file by file.
 *
 *     accounts.c         the kinds, and their routes
 *     account_begin.c    what a change begins with
 *     account_rights.c   who may do what with whose account
 *     account_fields.c   a request's members into a row
 *     account_write.c    make, change, block
 *     account_remove.c   take away
 *     account_members.c  who is a member of a team or an organisation, and as what
 *     account_steps.c    what is to be written, one after the other
 *     account_show.c     a row, and what belongs to it, as LiteLLM shows it
 *     account_view.c     one, several, or a page of them
 */
#ifndef KM_ADMIN_ACCOUNT_INSIDE_H
#define KM_ADMIN_ACCOUNT_INSIDE_H

#include "admin/admin.h"
#include "policy/account.h"

/* --- accounts.c --- */

/* What is particular to the routes of a kind. */
struct km_account_sort {
    enum km_account_kind kind;
    const char *unknown[2], *exists[2]; /* LiteLLM's words around the id */
    int exists_code; /* KM_E_INVALID or KM_E_EXISTS */
    const char *asked; /* by which the query of its info names one; NULL: the body does */
    const char *many; /* of the body: ids of those looked at or deleted; NULL: see `one` */
    const char *one; /* of the body of its deletion */
    bool own_id; /* its maker must name it */
};
/* That of the route. */
static inline const struct km_account_sort *km_account_sort_of(const struct km_admin *a)
{
    return a->v->match.route->data;
}

/* --- account_begin.c --- */

/* KM_E_NOT_FOUND, KM_E_INVALID in LiteLLM's words. */
int km_account_unknown(const struct km_account_sort *sort, struct km_str id, struct km_err *err);
int km_account_missing(const char *name, struct km_err *err);
/* KM_E_FORBIDDEN: the configuration says what it is. */
int km_account_check_declared(const struct km_account *acc, struct km_err *err) KM_MUST_USE;
/* --- account_rights.c --- */

enum km_account_right {
    KM_ACCOUNT_LOOK,
    KM_ACCOUNT_CHANGE, /* what limits nobody, or takes away */
    KM_ACCOUNT_OWN, /* anything */
};

/* May the visitor do that with this account (NULL: with any of the kind)?  KM_E_FORBIDDEN. */
int km_account_may(struct km_admin *a, enum km_account_right right, enum km_account_kind kind,
                   const struct km_account_row *row, struct km_err *err) KM_MUST_USE;
/* Whose key it is; empty: nobody's, or the administrator. */
struct km_str km_account_visitor(const struct km_admin *a);

/* --- account_fields.c --- */

/* Takes over the members of the object: as km_key_fields_read() does. */
int km_account_fields_read(struct km_admin *a, const struct km_json *object, int64_t now_us,
                           struct km_account_row *row, struct km_err *err) KM_MUST_USE;
/* Does it say anything that only its owner may: a limit, a role, where it belongs? */
bool km_account_says_limit(const struct km_json *object, enum km_account_kind kind,
                           struct km_str *ret_name);

/* --- account_steps.c --- */

#define KM_ACCOUNT_STEPS 10000 /* of one request */

struct km_account_step;
struct km_account_work {
    const struct km_account_sort *sort;
    struct km_account_step *first, **last;
    size_t n;
    void (*answer)(struct km_admin *a); /* all is written */
    struct km_account_row row; /* what the request is about */
    struct km_str secret; /* of a key that is made along */
    uint8_t hash[32];
    struct km_str *ids; /* of those it is about, where it is about several */
    size_t nids;
    struct km_str before; /* what is shown of those that are gone */
};

/* In a->state; NULL: no memory, *err says so. */
struct km_account_work *km_account_work_new(struct km_admin *a, struct km_err *err);
/* Rows must be good (km_accounts_check), and are stamped.  Each is durable before the next. */
int km_account_step_put(struct km_admin *a, const struct km_account_row *row, bool insert,
                        const char *verb, struct km_err *err) KM_MUST_USE;
int km_account_step_del(struct km_admin *a, const struct km_account_row *row,
                        struct km_err *err) KM_MUST_USE;
int km_account_step_key(struct km_admin *a, const struct km_key_row *row,
                        struct km_err *err) KM_MUST_USE;
int km_account_step_key_del(struct km_admin *a, const uint8_t hash[32],
                            struct km_err *err) KM_MUST_USE;
/* One of them that is yet to be made; NULL: none. */
const struct km_account_row *km_account_step_made(const struct km_admin *a,
                                                  enum km_account_kind kind, struct km_str id,
                                                  struct km_str of);
/* Takes them, then answers. */
void km_account_run(struct km_admin *a);

/* --- account_begin.c, where it needs the above --- */

void km_account_stamp(struct km_admin *a, struct km_account_row *row);
/* KM_E_INVALID: the organisation or budget of that id (empty: none is named) is not there. */
int km_account_check_there(struct km_admin *a, enum km_account_kind kind, struct km_str id,
                           struct km_err *err) KM_MUST_USE;
/* A fresh UUID, in the request's arena. */
struct km_str km_account_fresh_id(struct km_admin *a);

/* --- account_show.c --- */

/* What belongs to accounts, looked up once for an answer: keys, and members both ways. */
struct km_account_book {
    struct km_account **of_team, **by_user,
        **of_org; /* sorted; by_user is of_team in another order */
    size_t nteam, norg;
    struct km_key **keys; /* by team */
    struct km_key **user_keys; /* the same by user */
    size_t nkeys;
};
/* Of one team, user or organisation (empty: of all).  KM_E_NOMEM. */
int km_account_book_open(struct km_admin *a, struct km_account_book *book, struct km_str team,
                         struct km_str user, struct km_str org, struct km_err *err) KM_MUST_USE;
void km_account_book_close(struct km_account_book *book);

/* As LiteLLM shows a row of its kind. */
void km_account_show(struct km_admin *a, const struct km_account_book *book, struct km_account *acc,
                     struct km_buf *out);
/* Takes its closing brace away: what follows joins the row. */
static inline void km_account_reopen(struct km_buf *out)
{
    if (out->n)
        out->n--;
}

/* Arrays. */
void km_account_show_keys(const struct km_account_book *book, struct km_str team,
                          struct km_str user, struct km_buf *out);
void km_account_show_members(struct km_admin *a, const struct km_account_book *book,
                             struct km_str team, struct km_buf *out);
void km_account_show_org_members(struct km_admin *a, const struct km_account_book *book,
                                 struct km_str org, struct km_buf *out);
size_t km_account_count_keys(const struct km_account_book *book, struct km_str user);
/* The row that is there now, by itself. */
void km_account_show_one(struct km_admin *a, enum km_account_kind kind, struct km_str id,
                         struct km_str of, struct km_buf *out);

/* --- account_view.c, account_write.c, account_members.c: handlers --- */

int km_account_info(struct km_admin *a, struct km_err *err);
int km_user_info_alone(struct km_admin *a, struct km_err *err);
int km_account_info_many(struct km_admin *a, struct km_err *err);
int km_account_list(struct km_admin *a, struct km_err *err);
int km_account_list_page(struct km_admin *a, struct km_err *err);
int km_budget_settings(struct km_admin *a, struct km_err *err);
int km_team_available(struct km_admin *a, struct km_err *err);

int km_account_new(struct km_admin *a, struct km_err *err);
int km_account_update(struct km_admin *a, struct km_err *err);
int km_account_delete(struct km_admin *a, struct km_err *err);
int km_account_block(struct km_admin *a, struct km_err *err);
int km_account_unblock(struct km_admin *a, struct km_err *err);
int km_team_model_add(struct km_admin *a, struct km_err *err);
int km_team_model_delete(struct km_admin *a, struct km_err *err);

int km_member_add(struct km_admin *a, struct km_err *err);
int km_member_update(struct km_admin *a, struct km_err *err);
int km_member_delete(struct km_admin *a, struct km_err *err);
/* The row of the one that the body names, ready to be changed. */
int km_account_begin_change(struct km_admin *a, enum km_account_right right,
                            struct km_account_work **ret, struct km_err *err) KM_MUST_USE;
int km_account_write_changed(struct km_admin *a, struct km_account_work *w, const char *verb,
                             struct km_err *err) KM_MUST_USE;
/* The ids that the body names (sort->many, sort->one), each once. */
int km_account_ids(struct km_admin *a, struct km_account_work *w, struct km_err *err) KM_MUST_USE;
/* Steps that make a user where there is none, and a member of him. */
int km_member_steps(struct km_admin *a, enum km_account_kind kind, struct km_str of,
                    const struct km_json *member, const struct km_json *limits,
                    struct km_err *err) KM_MUST_USE;
/* Steps that make a user where there is none, and a member of him. */
int km_member_steps(struct km_admin *a, enum km_account_kind kind, struct km_str of,
                    const struct km_json *member, const struct km_json *limits,
                    struct km_err *err) KM_MUST_USE;
/* The account that the body's `name` names: a reference, that may be changed by this right. */
int km_account_named(struct km_admin *a, enum km_account_right right, struct km_account **ret,
                     struct km_err *err) KM_MUST_USE;
/* The one user with this address, a reference in *ret; none leaves NULL, two are KM_E_INVALID. */
int km_account_by_email(struct km_admin *a, struct km_str email, struct km_account **ret,
                        struct km_err *err) KM_MUST_USE;
#endif
