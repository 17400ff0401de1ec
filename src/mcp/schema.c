/* SPDX-License-Identifier: Apache-2.0 */
/* schema.c - see schema.h for the contract.
 *
 * The value and its schema are walked together; the way down is a chain on the stack
 *
 *     arguments <- .filters <- [2] <- .name
 *
 * and becomes text only when something is wrong with what is there.
 *
 *     plain words      cost what value and schema are large, and go as deep as those, which are
 *                      bounded before they come here (km_json_spans refuses deeper messages)
 *     $ref, anyOf ...  lead anywhere and come again: what is checked below them is counted, and
 *                      where the count is used up the rest fits
 *
 * So a schema can cost no more than it is allowed to, and what fits is never refused.  Of a oneOf
 * two forms that fit are one too many only if nothing was passed over in either, and all was looked
 * at: w->unsure says that it was not.
 */
#include <stdlib.h>

#include "mcp/pointer.h"
#include "mcp/schema_part.h"

#define POINTER_STEPS 8 /* a byte: each segment is looked for among members */

/* --- what is in it --- */

static const struct km_json *find(const struct km_json_pair *pairs, size_t n, struct km_str key)
{
    size_t from = 0, to = n;

    while (from < to) {
        size_t middle = from + (to - from) / 2;
        int order = km_str_cmp(pairs[middle].key, key);

        if (order == 0)
            return pairs[middle].value;
        if (order < 0)
            from = middle + 1;
        else
            to = middle;
    }
    return NULL;
}

static int check(struct km_schema_walk *w, const struct km_json *schema, const struct km_json *v,
                 const struct km_schema_place *at, struct km_err *err);

/* An object, and what its schema says of members. */
struct members {
    struct km_json_pair few[2][KM_JSON_FEW];
    struct km_json_pair *has, *known; /* its own; in properties */
    size_t nhas, nknown;
    const struct km_json *other; /* of all that are not known; NULL: free */
};

static int check_names(const struct members *m, const struct km_json *schema,
                       const struct km_schema_place *at, struct km_err *err)
{
    const struct km_json *item;
    struct km_json_iter it;
    struct km_str key, name;

    for (km_json_iter(km_json_get(schema, "required"), &it); km_json_next(&it, &key, &item);)
        if (km_json_string(item, &name) && !find(m->has, m->nhas, name))
            return km_schema_wrong(at, err, "needs the member ", name);
    for (size_t i = 1; i < m->nhas; i++)
        if (km_str_eq(m->has[i].key, m->has[i - 1].key))
            return km_schema_wrong(at, err,
                                   "has a member twice: ", km_str_sub(m->has[i].key, 0, 64));
    return 0;
}

static int check_members(struct km_schema_walk *w, const struct members *m, const struct km_json *v,
                         const struct km_schema_place *at, struct km_err *err)
{
    const struct km_json *item;
    struct km_json_iter it;
    struct km_str key;
    int r = 0;

    for (km_json_iter(v, &it); r == 0 && km_json_next(&it, &key, &item);) {
        const struct km_json *sub = find(m->known, m->nknown, key);
        struct km_schema_place below = { at, key, 0 };

        if (!sub && km_json_kind(m->other) == KM_JSON_FALSE)
            return km_schema_wrong(at, err, "has no member ", km_str_sub(key, 0, 64));
        sub = sub ? sub : m->other;
        r = sub ? check(w, sub, item, &below, err) : 0;
    }
    return r;
}

static int check_object(struct km_schema_walk *w, const struct km_json *schema,
                        const struct km_json *v, const struct km_schema_place *at,
                        struct km_err *err)
{
    const struct km_json *properties = km_json_get(schema, "properties");
    struct members m;
    int r = 0;

    if (km_json_kind(v) != KM_JSON_OBJECT ||
        !km_schema_may(w, km_json_count(v) + km_json_count(properties) +
                              km_json_count(km_json_get(schema, "required"))))
        return 0;
    m.has = km_json_pairs(v, m.few[0], KM_JSON_FEW, &m.nhas);
    m.known = km_json_pairs(properties, m.few[1], KM_JSON_FEW, &m.nknown);
    m.other = km_json_get(schema, "patternProperties")
                  ? NULL
                  : km_json_get(schema, "additionalProperties");
    if (!m.has || !m.known)
        r = km_fail(err, KM_E_NOMEM, "out of memory");
    if (r == 0)
        r = check_names(&m, schema, at, err);
    if (r == 0)
        r = check_members(w, &m, v, at, err);
    if (m.has != m.few[0])
        free(m.has);
    if (m.known != m.few[1])
        free(m.known);
    return r;
}

static int check_items(struct km_schema_walk *w, const struct km_json *schema,
                       const struct km_json *v, const struct km_schema_place *at,
                       struct km_err *err)
{
    const struct km_json *items = km_json_get(schema, "items"), *item, *one;
    struct km_json_iter it, first;
    struct km_str ignored;
    struct km_schema_place below = { at, KM_STR_NONE, 0 };
    int r = 0;

    if (km_json_kind(v) != KM_JSON_ARRAY)
        return 0;
    km_json_iter(km_json_get(schema, "prefixItems"), &first);
    for (km_json_iter(v, &it); r == 0 && km_json_next(&it, &ignored, &item); below.index++) {
        if (!km_json_next(&first, &ignored, &one))
            one = items;
        r = one ? check(w, one, item, &below, err) : 0;
    }
    return r;
}

/* --- schemas of schemas --- */

static int check_composed(struct km_schema_walk *w, const struct km_json *schema,
                          const struct km_json *v, const struct km_schema_place *at,
                          struct km_err *err)
{
    int r = 0;

    if (w->composed >= KM_SCHEMA_DEPTH) {
        w->unsure = true;
        return 0;
    }
    w->composed++;
    if (km_schema_may(w, 1))
        r = check(w, schema, v, at, err);
    w->composed--;
    return r;
}

/* One form of several; what it leaves unsure is its own affair.  *ret_sure: it fits, and would if
 * nothing were passed over. */
static int check_form(struct km_schema_walk *w, const struct km_json *form, const struct km_json *v,
                      const struct km_schema_place *at, bool *ret_sure)
{
    const bool before = w->unsure;
    int r;

    w->unsure = false;
    r = check_composed(w, form, v, at, NULL);
    *ret_sure = r == 0 && !w->unsure;
    w->unsure = before;
    return r;
}

/* Two that fit refuse the value only if they surely do. */
static int check_one(struct km_schema_walk *w, const struct km_json *list, const struct km_json *v,
                     const struct km_schema_place *at, struct km_err *err)
{
    const struct km_json *form;
    struct km_json_iter it;
    struct km_str ignored;
    size_t n = 0, fit = 0, sure = 0;

    for (km_json_iter(list, &it); km_json_next(&it, &ignored, &form); n++) {
        bool surely;
        int r = check_form(w, form, v, at, &surely);

        if (r < 0 && r != KM_E_INVALID)
            return r;
        fit += r == 0;
        sure += surely;
        if (sure > 1)
            return km_schema_wrong(at, err, "fits more than one form and may have one only",
                                   KM_STR_NONE);
    }
    if (fit > sure)
        w->unsure = true;
    return n == 0 || fit > 0
               ? 0
               : km_schema_wrong(at, err, "fits none of the forms it can have", KM_STR_NONE);
}

static int check_any(struct km_schema_walk *w, const struct km_json *list, const struct km_json *v,
                     const struct km_schema_place *at, struct km_err *err)
{
    const struct km_json *one;
    struct km_json_iter it;
    struct km_str ignored;
    int r = 0;

    for (km_json_iter(list, &it); km_json_next(&it, &ignored, &one);) {
        bool surely;

        r = check_form(w, one, v, at, &surely);
        if (r == 0 && !surely)
            w->unsure = true;
        if (r != KM_E_INVALID)
            return r;
    }
    return r == 0 ? 0 : km_schema_wrong(at, err, "fits none of the forms it can have", KM_STR_NONE);
}

static int check_all(struct km_schema_walk *w, const struct km_json *list, const struct km_json *v,
                     const struct km_schema_place *at, struct km_err *err)
{
    const struct km_json *one;
    struct km_json_iter it;
    struct km_str ignored;
    int r = 0;

    for (km_json_iter(list, &it); r == 0 && km_json_next(&it, &ignored, &one);)
        r = check_composed(w, one, v, at, err);
    return r;
}

/* What leads nowhere says nothing. */
static int check_reference(struct km_schema_walk *w, const struct km_json *ref,
                           const struct km_json *v, const struct km_schema_place *at,
                           struct km_err *err)
{
    const struct km_json *target;
    struct km_str pointer;

    if (!km_json_string(ref, &pointer) || !km_schema_may(w, pointer.n * POINTER_STEPS)) {
        w->unsure = true;
        return 0;
    }
    target = km_json_pointer(w->root, pointer);
    if (target)
        return check_composed(w, target, v, at, err);
    w->unsure = true;
    return 0;
}

static int check_words(struct km_schema_walk *w, const struct km_json *schema,
                       const struct km_json *v, const struct km_schema_place *at,
                       struct km_err *err)
{
    int r = km_schema_type(w, km_json_get(schema, "type"), v, at, err);

    if (r == 0)
        r = km_schema_enum(w, km_json_get(schema, "enum"), v, at, err);
    if (r == 0)
        r = km_schema_const(w, km_json_get(schema, "const"), v, at, err);
    if (r == 0)
        r = km_schema_range(w, schema, v, at, err);
    if (r == 0)
        r = check_object(w, schema, v, at, err);
    return r == 0 ? check_items(w, schema, v, at, err) : r;
}

static int check(struct km_schema_walk *w, const struct km_json *schema, const struct km_json *v,
                 const struct km_schema_place *at, struct km_err *err)
{
    const struct km_json *ref = km_json_get(schema, "$ref");
    int r;

    if (km_json_kind(schema) == KM_JSON_FALSE)
        return km_schema_wrong(at, err, "must not be there", KM_STR_NONE);
    if (!km_schema_may(w, 1 + km_json_count(schema) + km_json_count(km_json_get(schema, "type"))) ||
        (schema != w->root && km_json_get(schema, "$id"))) {
        w->unsure = true;
        return 0; /* with a name of its own, references below it are to itself */
    }
    if (w->composed)
        km_schema_read(w, schema);
    r = ref && w->lone_refs ? 0 : check_words(w, schema, v, at, err);
    if (r == 0 && ref)
        r = check_reference(w, ref, v, at, err);
    if (ref && w->lone_refs)
        return r;
    if (r == 0)
        r = check_all(w, km_json_get(schema, "allOf"), v, at, err);
    if (r == 0)
        r = check_any(w, km_json_get(schema, "anyOf"), v, at, err);
    return r == 0 ? check_one(w, km_json_get(schema, "oneOf"), v, at, err) : r;
}

int km_schema_check(const struct km_json *schema, const struct km_json *value, struct km_err *err)
{
    const struct km_schema_place top = { 0 };
    struct km_str dialect = KM_STR_NONE;
    struct km_schema_walk w = { .root = schema, .steps = KM_SCHEMA_STEPS };

    (void)km_json_string(km_json_get(schema, "$schema"), &dialect);
    w.lone_refs = km_str_find(dialect, KM_STR("/draft-0")) < dialect.n;
    return check(&w, schema, value, &top, err);
}
