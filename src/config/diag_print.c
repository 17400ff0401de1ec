/* SPDX-License-Identifier: Apache-2.0 */
/* diag_print.c - diagnostics for people and for programs (see diag.h).
 *
 * For people in the form the Rust compiler made familiar: what, where, the line, a caret, and
 * what to do. The line number's width decides the gutter of each entry; a line that does not
 * fit a terminal is cut around its caret. For programs a list of objects with the same facts
 * except the line, which they have.
 */
#include "base/buf.h"
#include "config/columns.h"
#include "config/diag.h"

enum { MAX_SHOWN = 160 };

struct palette {
    const char *error, *warning, *gutter, *bold, *off;
};

static void spaces(struct km_buf *out, size_t n)
{
    while (n--)
        km_buf_byte(out, ' ');
}

/* " 12 | the line" and the carets under it; long lines are cut around the caret. */
static void text_source(const struct km_diag *g, const struct palette *c, size_t gutter,
                        struct km_buf *out)
{
    unsigned skip = g->column > MAX_SHOWN ? g->column - MAX_SHOWN / 2 : 0;
    size_t from = km_column_byte(g->source, skip + 1);
    size_t to = km_column_byte(g->source, skip + MAX_SHOWN + 1);
    unsigned column = g->column - skip, width = g->width;
    unsigned shown = km_columns(km_str_sub(g->source, from, to - from));

    if (column > shown + 1)
        column = shown > g->width ? shown - g->width + 1 : 1;
    if (column + width > MAX_SHOWN + 1)
        width = MAX_SHOWN + 1 - column;
    spaces(out, gutter);
    km_buf_printf(out, "%s |%s\n%s%*u |%s %.*s\n", c->gutter, c->off, c->gutter, (int)gutter,
                  g->line, c->off, KM_STR_ARG(km_str_sub(g->source, from, to - from)));
    spaces(out, gutter);
    km_buf_printf(out, "%s |%s ", c->gutter, c->off);
    for (unsigned i = 1; i < column; i++)
        km_buf_byte(out, from == 0 && i <= g->source.n && g->source.p[i - 1] == '\t' ? '\t' : ' ');
    km_buf_str(out, km_str_c(g->level == KM_DIAG_ERROR ? c->error : c->warning));
    for (unsigned i = 0; i < width; i++)
        km_buf_byte(out, '^');
    km_buf_printf(out, "%s\n", c->off);
}

static void text_one(const struct km_diag *g, const struct palette *c, struct km_buf *out)
{
    bool error = g->level == KM_DIAG_ERROR;
    size_t gutter = 1;

    for (unsigned n = g->line; n >= 10; n /= 10)
        gutter++;
    km_buf_printf(out, "%s%s[%s]%s%s: %.*s%s\n", error ? c->error : c->warning,
                  error ? "error" : "warning", g->code, c->off, c->bold, KM_STR_ARG(g->message),
                  c->off);
    if (g->file.n && g->line) {
        spaces(out, gutter);
        km_buf_printf(out, "%s-->%s %.*s:%u:%u\n", c->gutter, c->off, KM_STR_ARG(g->file), g->line,
                      g->column);
    } else if (g->file.n) {
        spaces(out, gutter);
        km_buf_printf(out, "%s-->%s %.*s\n", c->gutter, c->off, KM_STR_ARG(g->file));
    }
    if (g->source.n)
        text_source(g, c, gutter, out);
    if (g->help.n) {
        spaces(out, gutter);
        km_buf_printf(out, "%s =%s help: %.*s\n", c->gutter, c->off, KM_STR_ARG(g->help));
    }
}

void km_diags_text(const struct km_diags *d, bool colour, struct km_buf *out)
{
    static const struct palette plain = { "", "", "", "", "" };
    static const struct palette ansi = { "\033[1;31m", "\033[1;33m", "\033[1;34m", "\033[1m",
                                         "\033[0m" };
    size_t all = km_diags_count(d, KM_DIAG_WARNING) + km_diags_count(d, KM_DIAG_ERROR), n = 0;
    const struct km_diag *g;

    for (; (g = km_diags_at(d, n)) != NULL; n++) {
        text_one(g, colour ? &ansi : &plain, out);
        km_buf_byte(out, '\n');
    }
    if (all > n)
        km_buf_printf(out, "... and %zu more\n\n", all - n);
}

static void json_text(struct km_buf *out, const char *name, struct km_str value)
{
    km_buf_printf(out, "\"%s\":", name);
    if (value.n)
        km_buf_json(out, value);
    else
        km_buf_str(out, KM_STR("null"));
}

void km_diags_json(const struct km_diags *d, struct km_buf *out)
{
    const struct km_diag *g;

    km_buf_byte(out, '[');
    for (size_t i = 0; (g = km_diags_at(d, i)) != NULL; i++) {
        km_buf_str(out, i ? KM_STR(",{") : KM_STR("{"));
        json_text(out, "file", g->file);
        km_buf_printf(out, ",\"line\":%u,\"column\":%u,\"level\":\"%s\",\"code\":\"%s\",", g->line,
                      g->column, g->level == KM_DIAG_ERROR ? "error" : "warning", g->code);
        json_text(out, "message", g->message);
        km_buf_byte(out, ',');
        json_text(out, "suggestion", g->help);
        km_buf_byte(out, '}');
    }
    km_buf_byte(out, ']');
}
