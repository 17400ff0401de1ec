/* SPDX-License-Identifier: Apache-2.0 */
/* bearer.c - see bearer.h.
 *
 * The line is made once, when the token comes, and kept as a secret: requests copy it.  What was
 * on the way there (the value, the line) is wiped, for a buffer's memory is used again.
 */
#include "llm/bearer.h"

#include <stdlib.h>

#include "base/crypto.h"
#include "base/veil.h"

#define LINE_BYTES ((size_t)64 * 1024)

struct bearer {
    struct km_refreshed base;
    struct km_secret line; /* "Authorization: Bearer ...\r\n" */
};

static void bearer_free(struct km_refreshed *base)
{
    struct bearer *b = (struct bearer *)(void *)base;

    km_secret_done(&b->line);
    free(b);
}

static void bearer_tell(const struct km_refreshed *base, struct km_veil *veil)
{
    const struct bearer *b = (const struct bearer *)(const void *)base;

    km_veil_add_head(veil, km_secret_view(&b->line), true);
}

struct km_refreshed *km_bearer_new(struct km_str access, int64_t expires_us, struct km_err *err)
{
    struct km_buf line KM_CLEANUP(km_buf_done) = KM_BUF(LINE_BYTES);
    struct km_buf value KM_CLEANUP(km_buf_done) = KM_BUF(LINE_BYTES);
    struct bearer *b = calloc(1, sizeof *b);
    int r;

    if (!b) {
        km_fail(err, KM_E_NOMEM, "out of memory");
        return NULL;
    }
    atomic_init(&b->base.refs, 1);
    b->base.expires_us = expires_us;
    b->base.free = bearer_free;
    b->base.tell = bearer_tell;
    km_buf_str(&value, KM_STR("Bearer "));
    km_buf_str(&value, access);
    r = km_header_put(&line, KM_STR("Authorization"), km_buf_view(&value), err);
    if (r == 0 && (km_buf_failed(&line) || km_secret_init(&b->line, km_buf_view(&line)) < 0))
        r = km_fail(err, KM_E_NOMEM, "the token is too long");
    km_wipe(value.p, value.n);
    km_wipe(line.p, line.n);
    if (r == 0)
        return &b->base;
    bearer_free(&b->base);
    return NULL;
}

int km_bearer_head(struct km_refresh *tokens, const struct km_auth_args *args,
                   struct km_auth_wait *wait, struct km_buf *out, struct km_err *err)
{
    struct km_refreshed *value;
    int r = km_refresh_get(tokens, args, wait, &value, err);

    if (r < 0)
        return r;
    wait->serial = value->serial;
    km_buf_str(out, km_secret_view(&((struct bearer *)(void *)value)->line));
    km_refreshed_unref(value);
    return 0;
}
