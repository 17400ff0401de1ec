/* SPDX-License-Identifier: Apache-2.0 */
/* lines.c - see lines.h.  What stands idle is left out: `--json` has all of it. */
#include "app/lines.h"

#include <inttypes.h>
#include <stdio.h>

#include "app/say.h"

static int64_t number(const struct km_json *of, const char *name)
{
    int64_t v = 0;

    return km_json_i64(km_json_get(of, name), &v) ? v : 0;
}

static void show_pacing(const struct km_json *pacing, struct km_buf *b)
{
    const int64_t at_once = number(pacing, "at_once"), closed = number(pacing, "closed_ms");
    int64_t left;

    if (km_json_kind(km_json_get(pacing, "active")) != KM_JSON_TRUE)
        return;
    km_buf_str(b, KM_STR("; near its provider's limit"));
    if (closed > 0)
        km_buf_printf(b, ", which takes nothing for %" PRId64 " ms", closed);
    if (at_once > 0)
        km_buf_printf(b, ", %" PRId64 " at once", at_once);
    if (km_json_i64(km_json_get(pacing, "requests_left"), &left))
        km_buf_printf(b, ", %" PRId64 " requests left", left);
}

static void show_line(const struct km_json *line)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(4096);
    const struct km_json *pacing = km_json_get(line, "pacing");
    const int64_t waiting = number(line, "waiting"), limit = number(line, "limit");
    const bool paced = km_json_kind(km_json_get(pacing, "active")) == KM_JSON_TRUE;
    struct km_str name;

    if ((!waiting && !paced) || !km_json_string(km_json_get(line, "resource"), &name))
        return;
    km_buf_printf(&b, "%.*s: %" PRId64 " wait, %" PRId64, KM_STR_ARG(name), waiting,
                  number(line, "running"));
    if (limit > 0)
        km_buf_printf(&b, " of %" PRId64, limit);
    km_buf_str(&b, KM_STR(" run"));
    if (waiting)
        km_buf_printf(&b, ", the longest for %" PRId64 " ms", number(line, "longest_wait_ms"));
    show_pacing(pacing, &b);
    km_say(stdout, "  %-12s %.*s", "queue", KM_STR_ARG(km_buf_view(&b)));
}

void km_lines_show(const struct km_json *status)
{
    const struct km_json *item;
    struct km_json_iter it;
    struct km_str none;

    if (km_json_kind(km_json_get(status, "queues")) != KM_JSON_ARRAY)
        return;
    km_json_iter(km_json_get(status, "queues"), &it);
    while (km_json_next(&it, &none, &item))
        show_line(item);
}
