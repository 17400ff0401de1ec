/* SPDX-License-Identifier: Apache-2.0 */
/* json_edit.c - a JSON object with some of its members changed, cut or added, as parts.
 *
 * See json_span.h for the contract.  A cut takes the comma after its member with it; the run of cut
 * members at the very end has none after it and takes the one before instead.  Which commas are
 * left to take depends on the other edits, so that is settled once, when the parts are made.
 *
 *     edits in any order ──> by place ──> last comma settled ──> kept bytes, new bytes, ...
 */
#include "http/json_walk.h"

void km_json_edits_init(struct km_json_edits *e, struct km_str body,
                        const struct km_json_object *object)
{
    e->body = body;
    e->object = *object;
    e->n = e->cut = e->added = 0;
    e->overflow = false;
}

/* An edit of the same place replaces the one before it.  true: the place is new. */
static bool note(struct km_json_edits *e, size_t at, size_t remove, struct km_str insert)
{
    for (size_t i = 0; i < e->n && remove > 0; i++)
        if (e->v[i].at == at && e->v[i].remove == remove) {
            e->v[i].insert = insert;
            return false;
        }
    if (e->n == KM_JSON_EDITS) {
        e->overflow = true;
        return false;
    }
    e->v[e->n++] = (struct km_json_edit){ .at = at, .remove = remove, .insert = insert };
    return true;
}

void km_json_replace(struct km_json_edits *e, const struct km_json_span *s, struct km_str value)
{
    if (s->type != KM_JSON_ABSENT)
        note(e, s->value, s->value_n, value);
}

void km_json_cut(struct km_json_edits *e, const struct km_json_span *s)
{
    size_t end = (size_t)s->member + s->member_n, comma = end;

    if (s->type == KM_JSON_ABSENT)
        return;
    while (comma < e->object.close && km_json_space(e->body.p[comma]))
        comma++;
    if (comma < e->object.close && e->body.p[comma] == ',')
        end = comma + 1;
    if (note(e, s->member, end - s->member, KM_STR_NONE))
        e->cut++;
}

void km_json_add(struct km_json_edits *e, struct km_arena *a, struct km_str name,
                 struct km_str value)
{
    struct km_str text =
        km_arena_cat(a, (struct km_str[]){ KM_STR(",\""), name, KM_STR("\":"), value }, 4);

    if (!text.p)
        e->overflow = true;
    else if (note(e, e->object.close, 0, text))
        e->added++;
}

/* By place; what was added stays in its order (the sort is stable: insertion). */
static void sort_edits(struct km_json_edits *e)
{
    for (size_t i = 1; i < e->n; i++) {
        struct km_json_edit v = e->v[i];
        size_t j = i;

        while (j > 0 && e->v[j - 1].at > v.at) {
            e->v[j] = e->v[j - 1];
            j--;
        }
        e->v[j] = v;
    }
}

static bool is_cut(const struct km_json_edit *v)
{
    return v->remove > 0 && v->insert.n == 0;
}

static size_t back_over_space(struct km_str s, size_t at)
{
    while (at > 0 && km_json_space(s.p[at - 1]))
        at--;
    return at;
}

/* If the last member is cut, the run of cut members it ends takes the comma before it. */
static void settle_last_comma(struct km_json_edits *e)
{
    size_t end = back_over_space(e->body, e->object.close);
    struct km_json_edit *first = NULL;

    for (size_t i = e->n; i-- > 0;) {
        struct km_json_edit *v = &e->v[i];

        if (!is_cut(v))
            continue;
        if (v->at + v->remove != end)
            break;
        first = v;
        end = back_over_space(e->body, v->at);
    }
    if (first && end > 0 && e->body.p[end - 1] == ',') {
        first->remove += first->at - (end - 1);
        first->at = end - 1;
    }
}

static void part(struct km_str *parts, size_t *n, struct km_str s)
{
    if (s.n > 0)
        parts[(*n)++] = s;
}

int km_json_parts(struct km_json_edits *e, struct km_arena *a, struct km_str **ret_parts,
                  size_t *ret_n, struct km_err *err)
{
    struct km_str *parts = km_arena_alloc(a, (2 * e->n + 1) * sizeof *parts);
    bool kept = e->object.members > e->cut;
    size_t n = 0, at = 0;

    if (!parts || e->overflow)
        return km_fail(err, KM_E_NOMEM, "too many edits of one JSON body");
    sort_edits(e);
    settle_last_comma(e);
    for (size_t i = 0; i < e->n; i++) {
        struct km_json_edit *v = &e->v[i];
        struct km_str insert = v->insert;

        if (v->at < at) /* inside a member that is cut */
            continue;
        if (v->remove == 0 && !kept)
            insert = km_str_skip(insert, 1); /* the first member needs no comma */
        kept = kept || v->remove == 0;
        part(parts, &n, km_str(e->body.p + at, v->at - at));
        part(parts, &n, insert);
        at = v->at + v->remove;
    }
    part(parts, &n, km_str_skip(e->body, at));
    *ret_parts = parts;
    *ret_n = n;
    return 0;
}
