/* SPDX-License-Identifier: Apache-2.0 */
/* say.c - see say.h. */
#include "app/say.h"

#include <stdarg.h>

#include "base/buf.h"
#include "mcp/safety/scan.h"
#include "mcp/safety/shown_args.h"

#define LINE_BYTES ((size_t)16 * 1024 * 1024)
#define JSON_BYTES ((size_t)512 * 1024 * 1024) /* the largest result there is, all of it escaped */

void km_say(FILE *to, const char *fmt, ...)
{
    struct km_buf text KM_CLEANUP(km_buf_done) = KM_BUF(LINE_BYTES);
    struct km_buf plain KM_CLEANUP(km_buf_done) = KM_BUF(6 * LINE_BYTES);
    va_list ap;

    va_start(ap, fmt);
    km_buf_vprintf(&text, fmt, ap);
    va_end(ap);
    if (km_buf_failed(&text))
        km_buf_str(&plain, KM_STR("(too long to be shown)"));
    else
        km_scan_line(&plain, km_buf_view(&text));
    fprintf(to, "%.*s\n", KM_STR_ARG(km_buf_view(&plain)));
}

void km_say_json_part(struct km_str json)
{
    struct km_buf plain KM_CLEANUP(km_buf_done) = KM_BUF(JSON_BYTES);

    km_args_json(json, &plain);
    fwrite(plain.p, 1, plain.n, stdout);
}

void km_say_json(struct km_str json)
{
    km_say_json_part(json);
    putchar('\n');
}
