/* SPDX-License-Identifier: Apache-2.0 */
/* cost.c - see cost.h.
 *
 *     SELECT ...                    EXPLAIN (FORMAT JSON) SELECT ...
 *     EXPLAIN ANALYZE SELECT ...    EXPLAIN (FORMAT JSON) SELECT ...
 *
 * Asked in the statement's own transaction, with its values, after the look-up has agreed: planning
 * calls functions that are immutable.  The answer comes back before the statement goes, which costs
 * one more round trip; only who sets max_cost pays it.
 *
 * What stands before the statement in EXPLAIN ANALYZE is found in the text.  If that went wrong the
 * server would refuse the text; it could not run anything, since nothing here says ANALYZE.
 */
#include "servers/postgres/cost.h"

#include "http/json.h"
#include "servers/postgres/plan.h"

#define HEAD "EXPLAIN (FORMAT JSON) "

bool km_pg_cost_asks(const struct km_pg_verdict *v)
{
    static const char *const planned[] = { "SelectStmt", "InsertStmt", "UpdateStmt",
                                           "DeleteStmt", "MergeStmt",  "CreateTableAsStmt" };

    if (v->explains)
        return v->analyzes;
    for (size_t i = 0; v->root && i < sizeof planned / sizeof planned[0]; i++)
        if (strcmp(v->root, planned[i]) == 0)
            return true;
    return false;
}

/* --- EXPLAIN ANALYZE --- */

static size_t comment_length(struct km_str s)
{
    size_t i = 2, depth = 1;

    if (km_str_starts(s, KM_STR("--")))
        return km_str_chr(s, '\n');
    if (!km_str_starts(s, KM_STR("/*")))
        return 0;
    for (; i + 1 < s.n && depth; i++) {
        bool open = s.p[i] == '/' && s.p[i + 1] == '*', close = s.p[i] == '*' && s.p[i + 1] == '/';

        depth = depth + open - close;
        i += open || close;
    }
    return i;
}

static struct km_str skip_blank(struct km_str s)
{
    size_t n;

    for (;;) {
        while (s.n && strchr(" \t\r\n\f\v", s.p[0]))
            s = km_str_skip(s, 1);
        n = comment_length(s);
        if (!n)
            return s;
        s = km_str_skip(s, n);
    }
}

static bool take_word(struct km_str *s, struct km_str word)
{
    if (!km_str_istarts(*s, word))
        return false;
    *s = skip_blank(km_str_skip(*s, word.n));
    return true;
}

/* What is explained; empty: its beginning is not plain to see. */
static struct km_str explained(struct km_str s)
{
    s = skip_blank(s);
    if (!take_word(&s, KM_STR("explain")))
        return KM_STR_NONE;
    if (s.n && s.p[0] == '(') {
        size_t end = km_str_chr(s, ')');

        for (size_t i = 0; i < end; i++)
            if (strchr("'\"$/-", s.p[i]))
                return KM_STR_NONE; /* it could hide a bracket */
        return skip_blank(km_str_skip(s, end + (end < s.n)));
    }
    while (take_word(&s, KM_STR("analyze")) || take_word(&s, KM_STR("analyse")) ||
           take_word(&s, KM_STR("verbose")))
        continue;
    return s;
}

static int characters(struct km_str s)
{
    int n = 0;

    for (size_t i = 0; i < s.n; i++)
        n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
    return n;
}

const char *km_pg_cost_sql(struct km_arena *arena, const struct km_pg_verdict *v, int *ret_shift,
                           struct km_err *err)
{
    struct km_str inner = v->explains ? explained(v->sql) : v->sql;
    struct km_str text;

    if (!inner.n) {
        km_fail(err, KM_E_INVALID,
                "what EXPLAIN ANALYZE would cost cannot be asked: write its options plainly, "
                "without quotes and comments");
        return NULL;
    }
    text = km_arena_cat(arena, (struct km_str[]){ KM_STR(HEAD), inner, km_str("", 1) }, 3);
    if (!text.p) {
        km_fail(err, KM_E_NOMEM, "out of memory");
        return NULL;
    }
    *ret_shift = (int)sizeof HEAD - 1 - characters(km_str_sub(v->sql, 0, v->sql.n - inner.n));
    return text.p;
}

/* --- the answer --- */

int km_pg_cost_take(struct km_arena *arena, const struct km_pg_result *r, int64_t most,
                    struct km_pg_verdict *v, struct km_err *err)
{
    const struct km_json *plan = NULL;
    struct km_err why = { 0 };
    double cost = -1;

    if (km_pg_rows(r) == 1 && km_json_parse_answer(arena, km_pg_value(r, 0, 0), &plan, &why) == 0)
        cost = km_pg_plan_cost(plan);
    if (!(cost >= 0))
        return km_fail(err, KM_E_UPSTREAM_PROTOCOL, "the database does not say what it would cost");
    if (cost <= (double)most)
        return 0;
    v->allowed = false;
    v->code = "GUARD_COST";
    v->node = v->root;
    v->at = -1;
    v->message = km_arena_printf(arena,
                                 "the planner expects a cost of %.0f, at most %lld is allowed "
                                 "(max_cost)",
                                 cost, (long long)most);
    v->hint = KM_STR("narrow it by WHERE or LIMIT, or look at its plan with explain_query");
    return 0;
}
