/* SPDX-License-Identifier: Apache-2.0 */
/* unsupported.c - keys that are not honoured, and variables that are not set (see fill.h).
 *
 * Two safety rules live here and not in the modules, so that no module can forget them:
 *
 *     a restrictive key we do not honour     an error, unless kanmon_settings.accept_unsupported
 *                                            names it, or it is set to what restricts nothing
 *     os.environ/NAME below a safety row,    an error where NAME is not set: LiteLLM would go
 *     or in a restrictive key                on without the master key or the guardrail
 *
 * Everything else that has no effect is said once, however often a list repeats it.
 */
#include <string.h>

#include "base/arena.h"
#include "config/fill.h"

struct km_str km_fill_plain_path(struct km_arena *arena, struct km_str path)
{
    char *p = km_arena_alloc(arena, path.n + 1);
    bool inside = false;
    size_t n = 0;

    for (size_t i = 0; p && i < path.n; i++) {
        if (path.p[i] == '[')
            inside = true;
        if (!inside)
            p[n++] = path.p[i];
        if (path.p[i] == ']')
            inside = false;
    }
    return km_str(p, n);
}

/* An os.environ/NAME whose variable is not set; in a safety row that must not pass. */
void km_fill_unset(struct km_fill *fill, const struct km_node *node, struct km_str path,
                   unsigned flags)
{
    struct km_str name = km_str_skip(node->text, sizeof "os.environ/" - 1), help;

    if (!name.n) {
        const bool stops = (flags & KM_SET_SAFETY) && !km_fill_accepted(fill, path);

        km_diag_add(fill->diags, stops ? KM_DIAG_ERROR : KM_DIAG_WARNING, stops ? "E0107" : "W0104",
                    node, "write os.environ/NAME", "%.*s: os.environ/ has no name behind it",
                    KM_STR_ARG(path));
        return;
    }
    if (!(flags & KM_SET_SAFETY) || km_fill_accepted(fill, path)) {
        km_diag_add_each(
            fill->diags, KM_DIAG_WARNING, "W0104", node, NULL, path,
            km_arena_printf(fill->arena, ": variable %.*s is not set, so this key has no value",
                            KM_STR_ARG(name)),
            km_arena_printf(fill->arena, "keys have no value, for variable %.*s is not set",
                            KM_STR_ARG(name)));
        return;
    }
    help = km_arena_printf(fill->arena,
                           "set the variable or take the key out; to start all the same, list "
                           "'%.*s' in kanmon_settings.accept_unsupported",
                           KM_STR_ARG(km_fill_plain_path(fill->arena, path)));
    km_diag_add(fill->diags, KM_DIAG_ERROR, "E0107", node, help.p, "%.*s: variable %.*s is not set",
                KM_STR_ARG(path), KM_STR_ARG(name));
}

/* An empty master key would be none, which is hardly what an empty variable was set for. */
void km_fill_empty(struct km_fill *fill, const struct km_node *node, struct km_str path,
                   unsigned flags)
{
    if ((flags & KM_SET_SAFETY) && !km_fill_accepted(fill, path))
        km_diag_add(fill->diags, KM_DIAG_ERROR, "E0107", node,
                    "give the variable a value, or take the key out",
                    "%.*s: its variable is set, but empty", KM_STR_ARG(path));
}

/* Everything below a raw node, or below a list or map of strings. */
void km_fill_unset_below(struct km_fill *fill, const struct km_node *node, struct km_str path,
                         unsigned flags)
{
    if (node->type == KM_NODE_NULL && node->from_env)
        km_fill_unset(fill, node, path, flags);
    for (size_t i = 0; i < node->n; i++)
        km_fill_unset_below(fill, node->v[i], path, flags);
}

/* "a.b" is accepted by "a.b" and by "a". */
bool km_fill_accepted(const struct km_fill *fill, struct km_str path)
{
    const struct km_node *a = fill->accept;
    size_t n = a ? (a->type == KM_NODE_SEQ ? a->n : 1) : 0;

    path = km_fill_plain_path(fill->arena, path);
    for (size_t i = 0; i < n; i++) {
        struct km_str name = a->type == KM_NODE_SEQ ? a->v[i]->text : a->text;

        if (km_str_eq(path, name))
            return true;
        if (name.n && path.n > name.n && path.p[name.n] == '.' && km_str_starts(path, name))
            return true;
    }
    return false;
}

/* Whether a scalar is one of the row's inert values ("false", "otel|prometheus"). */
static bool inert_scalar(const struct km_setting *row, const struct km_node *node)
{
    struct km_str rest = km_str_c(row->inert), one, text = node->text;

    if (node->type == KM_NODE_BOOL)
        text = node->b ? KM_STR("true") : KM_STR("false");
    while (km_str_split(&rest, '|', &one))
        if (one.n && km_str_ieq(text, one))
            return true;
    return false;
}

bool km_fill_inert(const struct km_setting *row, const struct km_node *node)
{
    if (row->inert && strcmp(row->inert, "*") == 0)
        return true;
    if (node->type == KM_NODE_STR && !node->text.n)
        return !node->from_env; /* a variable was hardly set in order to be empty */
    if (node->type < KM_NODE_SEQ)
        return inert_scalar(row, node);
    if (node->type == KM_NODE_MAP)
        return node->n == 0;
    for (size_t i = 0; i < node->n; i++)
        if (node->v[i]->type >= KM_NODE_SEQ || !inert_scalar(row, node->v[i]))
            return false;
    return true;
}

/* A key that would restrict something: refused unless listed by its owner. */
static void restricts(struct km_fill *fill, const struct km_setting *row,
                      const struct km_node *node, struct km_str path)
{
    struct km_str plain = km_fill_plain_path(fill->arena, path), help;

    if (km_fill_accepted(fill, path)) {
        km_diag_add(fill->diags, KM_DIAG_WARNING, "W0105", node, row->help,
                    "%.*s restricts something that is not enforced here, as accepted",
                    KM_STR_ARG(path));
        return;
    }
    help = km_arena_printf(fill->arena,
                           "%s  To start without it, list '%.*s' in "
                           "kanmon_settings.accept_unsupported.",
                           row->help, KM_STR_ARG(plain));
    km_diag_add(fill->diags, KM_DIAG_ERROR, "E0108", node, help.p,
                "%.*s would restrict something, and kanmon does not do that yet", KM_STR_ARG(path));
}

/* Whether this is the first time; a key of a list's items is said once, not for each item. */
static bool first_warning(struct km_fill *fill, const struct km_setting *row)
{
    struct km_fill_warned *w;

    for (w = fill->warned; w; w = w->next)
        if (w->row == row)
            return false;
    w = km_arena_alloc(fill->arena, sizeof *w);
    if (w) {
        *w = (struct km_fill_warned){ fill->warned, row };
        fill->warned = w;
    }
    return true;
}

/* Whether a key without effect is set to what switches nothing on. */
static bool switches_nothing(const struct km_setting *row, const struct km_node *node)
{
    return row->class != KM_RESTRICTIVE && row->inert ? km_fill_inert(row, node)
                                                      : km_node_says_nothing(node);
}

static void no_effect(struct km_fill *fill, const struct km_setting *row,
                      const struct km_node *node, struct km_str path)
{
    if (row->class == KM_PROTECTIVE)
        km_diag_add(fill->diags, KM_DIAG_WARNING, "W0106", node, row->help,
                    "%.*s: the file counts on this, and it is off here", KM_STR_ARG(path));
    else
        km_diag_add(fill->diags, KM_DIAG_WARNING, "W0103", node, row->help,
                    "%.*s has no effect here", KM_STR_ARG(path));
}

void km_fill_unsupported(struct km_fill *fill, const struct km_setting *row,
                         const struct km_node *node, struct km_str path, bool quiet)
{
    /* Of a restrictive key, a list of inert values only (callbacks: [otel]) does nothing. */
    bool idle = row->class == KM_RESTRICTIVE ? node->type >= KM_NODE_SEQ && node->n > 0
                                             : !switches_nothing(row, node);

    if (row->type == KM_SET_SECRET)
        km_diags_hide(fill->diags, node);
    if (row->flags & KM_SET_SAFETY)
        km_fill_unset_below(fill, node, path, row->flags);
    if (row->class == KM_RESTRICTIVE && !km_fill_inert(row, node))
        restricts(fill, row, node, path);
    else if (idle && !quiet && first_warning(fill, row))
        no_effect(fill, row, node, path);
}
