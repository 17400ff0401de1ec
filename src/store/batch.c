/* SPDX-License-Identifier: Apache-2.0 */
/* batch.c - see batch.h for the contract.
 *
 *     INSERT INTO spend SELECT * FROM spend_rows
 *
 * Nothing is copied: the driver asks for row after row and column after column, and gets numbers
 * and pointers straight from the records.
 *
 * Numbers are clamped here, on their way in: an upstream may report any, and a sum that
 * overflows would turn into a float, which the STRICT tables refuse, for ever.
 */
#include "store/batch.h"

#include <stdlib.h>

#define MOST_COST ((int64_t)1 << 53) /* of one call: nine million USD */
#define MOST_TOKENS ((int64_t)1 << 40)

void km_batch_done(struct km_batch *b)
{
    free(b->v);
    *b = (struct km_batch){ 0 };
}

int km_batch_add(struct km_batch *b, const struct km_batch_row *row, struct km_err *err)
{
    if (b->n == KM_BATCH_ROWS)
        return km_fail(err, KM_E_LIMIT, "store: the batch is full");
    if (b->n == b->cap) {
        size_t cap = b->cap ? 2 * b->cap : 64;
        struct km_batch_row *grown = realloc(b->v, cap * sizeof *grown);

        if (!grown)
            return km_fail(err, KM_E_NOMEM, "store: out of memory");
        b->v = grown;
        b->cap = cap;
    }
    b->v[b->n++] = *row;
    return 0;
}

static int64_t clamp(int64_t v, int64_t most)
{
    if (v < 0)
        return 0;
    return v > most ? most : v;
}

int64_t km_batch_cost(int64_t v)
{
    return clamp(v, MOST_COST);
}

int64_t km_batch_tokens(int64_t v)
{
    return clamp(v, MOST_TOKENS);
}

/* --- columns --- */

static struct km_value text_or_null(const struct km_record *rec, enum km_record_string string)
{
    return rec->len[string] ? km_value_text(km_record_text(rec, string)) : km_value_null();
}

/* Microseconds from the start; NULL when it never happened. */
static struct km_value after(int64_t start_us, int64_t us)
{
    if (us == 0)
        return km_value_null();
    return km_value_i64(us > start_us ? us - start_us : 0);
}

static struct km_value spend_value(const void *from, unsigned column)
{
    const struct km_batch_row *row = from;
    const struct km_record *rec = row->rec;

    switch (column) {
    case 0:
        return km_value_blob(rec->id.b, sizeof rec->id.b);
    case 1:
        return km_value_i64(row->key);
    case 2:
        return km_value_i64(row->route);
    case 3:
        return km_value_i64(rec->start_us);
    case 4:
        return after(rec->start_us, rec->first_us);
    case 5:
        return after(rec->start_us, rec->end_us);
    case 6:
        return km_value_i64(km_batch_tokens(rec->prompt_tokens));
    case 7:
        return km_value_i64(km_batch_tokens(rec->completion_tokens));
    case 8:
        return km_value_i64(km_batch_tokens(rec->cached_tokens));
    case 9:
        return km_value_i64(km_batch_cost(rec->cost));
    case 10:
        return km_value_i64(rec->status);
    case 11:
        return km_value_i64(rec->flags);
    case 12:
        return text_or_null(rec, KM_RECORD_USER);
    case 13:
        return text_or_null(rec, KM_RECORD_METADATA);
    default:
        return text_or_null(rec, KM_RECORD_CLIENT_IP);
    }
}

static struct km_value open_value(const void *from, unsigned column)
{
    const struct km_batch_row *row = from;
    const struct km_record *rec = row->rec;
    struct km_str texts;

    switch (column) {
    case 4:
        return km_value_i64(km_batch_cost(rec->reserved));
    case 5:
        return km_value_blob(row->state, row->state_n);
    case 6:
        texts = km_open_texts(rec);
        return texts.n ? km_value_blob(texts.p, texts.n) : km_value_null();
    default:
        return spend_value(row, column); /* id, key, route, start_us */
    }
}

static struct km_value sum_value(const void *from, unsigned column)
{
    const struct km_sum *sum = from;
    const int64_t v[] = { sum->day,
                          sum->key,
                          sum->route,
                          sum->calls,
                          sum->failed,
                          sum->prompt_tokens,
                          sum->completion_tokens,
                          sum->cached_tokens,
                          sum->cost };

    return km_value_i64(v[column]);
}

static const void *batch_row(const void *from, size_t i)
{
    const struct km_batch *b = from;

    return i < b->n ? &b->v[i] : NULL;
}

static const void *sum_row(const void *from, size_t i)
{
    const struct km_sums *s = from;

    return i < s->nsorted ? s->sorted[i] : NULL;
}

const struct km_rowset km_spend_rows = {
    "spend_rows",
    "id, key, route, start_us, first_us, duration_us, prompt_tokens, completion_tokens,"
    " cached_tokens, cost, status, flags, user, metadata, client_ip",
    batch_row,
    spend_value,
};

const struct km_rowset km_open_rows = {
    "open_rows",
    "id, key, route, start_us, reserved, state, texts",
    batch_row,
    open_value,
};

const struct km_rowset km_gone_rows = { "gone_rows", "id", batch_row, spend_value };

const struct km_rowset km_daily_rows = {
    "daily_rows",
    "day, key, route, calls, failed, prompt_tokens, completion_tokens, cached_tokens, cost",
    sum_row,
    sum_value,
};
