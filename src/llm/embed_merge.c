/* SPDX-License-Identifier: Apache-2.0 */
/* embed_merge.c - see embed_merge.h for the contract.
 *
 * Nothing is parsed into a tree: bodies and answers are cut by place, and vectors, which are nearly
 * all of an answer, are copied as they came.  An answer is believed when it has each number from 0
 * on exactly once; else nobody could tell whose vector is whose.
 */
#include "llm/embed_merge.h"

#include <string.h>

#include "base/buf.h"
#include "base/err.h"

__extension__ typedef __int128 wide;

/* --- requests --- */

static bool count_texts(struct km_str array, size_t *ret_n)
{
    struct km_json_span item;
    size_t at = 0, n = 0;

    while (km_json_next_item(array, &at, &item)) {
        if (item.type != KM_JSON_STRING)
            return false;
        n++;
    }
    *ret_n = n;
    return n > 0;
}

bool km_embed_inputs(struct km_str body, struct km_embed_inputs *ret)
{
    static const struct km_str name = { "input", 5 };
    struct km_json_span span;
    struct km_str value;

    if (km_json_spans(body, &name, 1, &span, NULL, NULL) < 0)
        return false;
    value = km_json_value(body, &span);
    *ret = (struct km_embed_inputs){ .before = km_str_sub(body, 0, span.value),
                                     .behind = km_str_skip(body, span.value + span.value_n) };
    if (span.type == KM_JSON_STRING) {
        ret->items = value;
        ret->n = 1;
        return true;
    }
    if (span.type != KM_JSON_ARRAY || !count_texts(value, &ret->n))
        return false;
    ret->items = km_str_sub(value, 1, value.n - 2);
    return true;
}

struct km_str km_embed_merge(const struct km_embed_inputs *v, size_t n, struct km_arena *arena)
{
    struct km_str parts[2 * KM_EMBED_MERGED_MOST + 4];
    size_t k = 0;

    parts[k++] = v[0].before;
    for (size_t i = 0; i < n; i++) {
        parts[k++] = i ? KM_STR(",") : KM_STR("[");
        parts[k++] = v[i].items;
    }
    parts[k++] = KM_STR("]");
    parts[k++] = v[0].behind;
    return km_arena_cat(arena, parts, k);
}

/* --- what was used --- */

void km_embed_divide(int64_t sum, const struct km_embed_share *v, size_t n, int64_t *ret)
{
    int64_t lost[KM_EMBED_MERGED_MOST], of = 0, left = sum;

    if (n == 0)
        return;
    for (size_t i = 0; i < n; i++)
        of += v[i].weight;
    for (size_t i = 0; i < n; i++) {
        wide part = (wide)sum * v[i].weight;

        ret[i] = (int64_t)(part / of);
        lost[i] = (int64_t)(part % of);
        left -= ret[i];
    }
    for (; left > 0; left--) { /* fewer than n */
        size_t most = 0;

        for (size_t i = 1; i < n; i++)
            if (lost[i] > lost[most])
                most = i;
        ret[most]++;
        lost[most] = -1;
    }
}

/* --- answers --- */

static int no_part(struct km_err *err)
{
    return km_fail(err, KM_E_UPSTREAM_PROTOCOL,
                   "The upstream's answer has not one embedding for each input.");
}

static bool index_of(struct km_str item, struct km_json_span *ret, int64_t *ret_index)
{
    static const struct km_str name = { "index", 5 };

    return km_json_sure_spans(item, &name, 1, ret, NULL, NULL) && ret->type == KM_JSON_NUMBER &&
           km_str_i64(km_json_value(item, ret), ret_index) == 0 && *ret_index >= 0;
}

static size_t inputs_of(const struct km_embed_share *v, size_t n)
{
    return v[n - 1].from + v[n - 1].n;
}

/* The items of this share, in their order in the answer, which tells their order by number. */
static int put_data(struct km_str data, const struct km_embed_share *share, size_t all,
                    struct km_buf *out, struct km_err *err)
{
    uint64_t seen[KM_EMBED_INPUTS_MOST / 64] = { 0 };
    struct km_json_span item, index;
    size_t at = 0, n = 0, put = 0;
    int64_t number;

    if (all > KM_EMBED_INPUTS_MOST)
        return no_part(err);
    km_buf_byte(out, '[');
    while (km_json_next_item(data, &at, &item)) {
        struct km_str text = km_json_value(data, &item);

        if (!index_of(text, &index, &number) || (size_t)number >= all ||
            (seen[number / 64] >> (number % 64) & 1))
            return no_part(err);
        seen[number / 64] |= UINT64_C(1) << (number % 64);
        n++;
        if ((size_t)number < share->from || (size_t)number >= share->from + share->n)
            continue;
        if (put++)
            km_buf_byte(out, ',');
        km_buf_str(out, km_str_sub(text, 0, index.value));
        km_buf_i64(out, number - (int64_t)share->from);
        km_buf_str(out, km_str_skip(text, index.value + index.value_n));
    }
    km_buf_byte(out, ']');
    return n == all ? 0 : no_part(err);
}

/* Of each count its share; what is no count stays out, for it is of all together. */
static void put_usage(struct km_str usage, const struct km_embed_share *v, size_t n, size_t which,
                      struct km_buf *out)
{
    static const struct km_str names[] = { { "prompt_tokens", 13 }, { "total_tokens", 12 } };
    int64_t parts[KM_EMBED_MERGED_MOST], sum;
    struct km_json_span spans[2];
    bool first = true;

    km_buf_byte(out, '{');
    if (km_json_sure_spans(usage, names, 2, spans, NULL, NULL))
        for (size_t i = 0; i < 2; i++) {
            if (spans[i].type != KM_JSON_NUMBER ||
                km_str_i64(km_json_value(usage, &spans[i]), &sum) < 0 || sum < 0)
                continue;
            km_embed_divide(sum, v, n, parts);
            if (!first)
                km_buf_byte(out, ',');
            first = false;
            km_buf_json(out, names[i]);
            km_buf_byte(out, ':');
            km_buf_i64(out, parts[which]);
        }
    km_buf_byte(out, '}');
}

int km_embed_part(struct km_str whole, const struct km_embed_share *v, size_t n, size_t which,
                  struct km_buf *out, struct km_err *err)
{
    static const struct km_str names[] = { { "data", 4 }, { "usage", 5 } };
    struct km_json_span spans[2], *first = &spans[0], *last = &spans[1];
    int r = 0;

    if (!km_json_sure_spans(whole, names, 2, spans, NULL, NULL) || spans[0].type != KM_JSON_ARRAY)
        return no_part(err);
    if (spans[1].type == KM_JSON_ABSENT)
        last = NULL;
    else if (spans[1].value < spans[0].value)
        first = &spans[1], last = &spans[0];
    km_buf_str(out, km_str_sub(whole, 0, first->value));
    for (const struct km_json_span *s = first; r == 0 && s; s = s == first ? last : NULL) {
        size_t end = s->value + s->value_n;

        if (s->type == KM_JSON_ARRAY)
            r = put_data(km_json_value(whole, s), &v[which], inputs_of(v, n), out, err);
        else
            put_usage(km_json_value(whole, s), v, n, which, out);
        km_buf_str(out, km_str_sub(whole, end, (s == first && last ? last->value : whole.n) - end));
    }
    return r;
}
