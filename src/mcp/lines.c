/* SPDX-License-Identifier: Apache-2.0 */
/* lines.c - see lines.h for the contract.
 *
 *     fed:   ...rest of a line\n whole line\n whole line\n the beginning of
 *             appended to rest   given as they lie          kept in rest
 *
 * The buffer is given back when nothing is unfinished, so a quiet server costs none.
 */
#include "mcp/lines.h"

void km_lines_init(struct km_lines *l, size_t max, km_line_fn *fn, void *ctx)
{
    *l = (struct km_lines){ .max = max, .fn = fn, .ctx = ctx };
    km_buf_init(&l->rest, max);
}

void km_lines_done(struct km_lines *l)
{
    km_buf_done(&l->rest);
}

static int too_long(const struct km_lines *l, struct km_err *err)
{
    return km_fail(err, KM_E_LIMIT, "a line is over %zu bytes", l->max);
}

static int give(struct km_lines *l, struct km_str line, struct km_err *err)
{
    int r;

    if (line.n > l->max)
        return too_long(l, err);
    if (line.n && line.p[line.n - 1] == '\r')
        line.n--;
    r = line.n ? l->fn(l->ctx, line) : 0;
    return r < 0 ? km_fail(err, r, "given up") : 0;
}

int km_lines_feed(struct km_lines *l, const char *bytes, size_t n, struct km_err *err)
{
    struct km_str in = { bytes, n };

    while (in.n) {
        size_t at = km_str_chr(in, '\n');
        struct km_str part = km_str_sub(in, 0, at);
        int r = 0;

        if (at == in.n || l->rest.n) {
            km_buf_str(&l->rest, part);
            if (km_buf_failed(&l->rest))
                return too_long(l, err);
            part = km_buf_view(&l->rest);
        }
        if (at < in.n) {
            r = give(l, part, err);
            if (l->rest.n)
                km_buf_done(&l->rest);
        }
        if (r < 0)
            return r;
        in = km_str_skip(in, at + 1);
    }
    return 0;
}
