/* SPDX-License-Identifier: Apache-2.0 */
/* diag.c - see diag.h for the contract.
 *
 * Entries are written while a configuration is read, but which lines hold secrets is known
 * only when the rows have been walked.  So an entry keeps its place, and the text of its line
 * is cut out when the list is sealed:
 *
 *     add(place, message) ... hide(secret node) ... seal() -> source of every entry
 *
 * A line is shown up to the first byte that may belong to a secret (mask.c, hidden nodes); a
 * caret that would stand behind it is moved to the mask.  Bytes that a terminal would act on
 * never come out.
 */
#include "config/diag.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/crypto.h"
#include "config/columns.h"
#include "config/mask.h"

enum { MAX_DIAGS = 200, MAX_MESSAGE = 1024 };

struct line {
    struct km_str text; /* without its end */
    size_t shown; /* bytes from its start that may be shown */
};

struct source {
    struct source *next;
    struct km_str file, text;
    struct line *lines; /* NULL until a diagnostic asks, and again when a node is hidden */
    size_t nlines;
};

struct hidden {
    struct hidden *next;
    struct km_str file;
    unsigned line, column;
};

struct km_diags {
    struct km_arena arena;
    struct km_diag v[MAX_DIAGS];
    size_t n;
    size_t counts[2];
    struct source *sources;
    struct hidden *hidden;
    bool sealed;
};

struct km_diags *km_diags_new(void)
{
    struct km_diags *d = calloc(1, sizeof *d);

    if (d)
        km_arena_init(&d->arena, 64 << 20, NULL);
    return d;
}

struct km_diags *km_diags_free(struct km_diags *d)
{
    if (d) {
        for (struct source *s = d->sources; s; s = s->next)
            if (s->text.p)
                km_wipe((char *)(uintptr_t)s->text.p, s->text.n);
        km_arena_done(&d->arena);
        free(d);
    }
    return NULL;
}

void km_diags_source(struct km_diags *d, struct km_str file, struct km_str text)
{
    struct source *s = km_arena_alloc(&d->arena, sizeof *s);

    if (!s)
        return;
    *s = (struct source){ .next = d->sources };
    s->file = km_arena_str(&d->arena, file);
    s->text = km_arena_str(&d->arena, text);
    d->sources = s;
}

void km_diags_hide(struct km_diags *d, const struct km_node *secret)
{
    struct hidden *h;

    /* The file shows os.environ/NAME there, which is no secret. */
    if (!secret || secret->from_env || !secret->line)
        return;
    h = km_arena_alloc(&d->arena, sizeof *h);
    if (!h)
        return;
    *h = (struct hidden){ d->hidden, secret->file, secret->line, secret->column };
    d->hidden = h;
    for (struct source *s = d->sources; s; s = s->next)
        s->lines = NULL;
}

/* Takes the next line off *text. */
static bool next_line(struct km_str *text, struct km_str *ret_line)
{
    if (!km_str_split(text, '\n', ret_line))
        return false;
    if (ret_line->n && ret_line->p[ret_line->n - 1] == '\r')
        ret_line->n--;
    return true;
}

/* Where the content of a line begins; the dash of a list item is not yet content. */
static size_t indent(struct km_str line)
{
    size_t i = 0;

    while (i < line.n &&
           (line.p[i] == ' ' || (line.p[i] == '-' && i + 1 < line.n && line.p[i + 1] == ' ')))
        i++;
    return i;
}

/* Cuts the text into lines. */
static bool cut_lines(struct km_diags *d, struct source *s)
{
    struct km_str rest = s->text, line;
    size_t n = 1;

    for (size_t i = 0; i < s->text.n; i++)
        n += s->text.p[i] == '\n';
    s->lines = km_arena_alloc(&d->arena, n * sizeof *s->lines);
    s->nlines = 0;
    while (s->lines && s->nlines < n && next_line(&rest, &line))
        s->lines[s->nlines++] = (struct line){ line, line.n };
    return s->lines != NULL;
}

/* Decides how much of each line may be shown.  A secret that goes on hides the lines below
 * that are indented more than the one it began on. */
static void index_source(struct km_diags *d, struct source *s)
{
    size_t secret_indent = SIZE_MAX;

    if (!cut_lines(d, s))
        return;
    for (const struct hidden *h = d->hidden; h; h = h->next) {
        struct line *l;

        if (!h->line || h->line > s->nlines || !km_str_eq(h->file, s->file))
            continue;
        l = &s->lines[h->line - 1];
        if (km_column_byte(l->text, h->column) < l->shown)
            l->shown = km_column_byte(l->text, h->column);
    }
    for (size_t i = 0; i < s->nlines; i++) {
        struct line *l = &s->lines[i];
        bool open = false, hidden = l->shown < l->text.n;
        size_t from = km_mask_from(l->text, &open), in = indent(l->text);

        if (from < l->shown)
            l->shown = from;
        if (in < l->text.n && (secret_indent == SIZE_MAX || in <= secret_indent))
            secret_indent = open || hidden ? in : SIZE_MAX;
        else if (secret_indent != SIZE_MAX)
            l->shown = 0;
    }
}

/* Overwrites the bytes a terminal would act on: C0, DEL and, in UTF-8, C1. */
static void disarm(char *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)p[i];

        if ((c < 0x20 && c != '\t') || c == 0x7f)
            p[i] = '?';
        else if (c == 0xc2 && i + 1 < n && (unsigned char)p[i + 1] < 0xa0)
            p[i] = p[i + 1] = '?';
    }
}

/* The line as it may be shown: masked, and without bytes a terminal acts on. */
static struct km_str shown_line(struct km_diags *d, struct km_str line, size_t shown)
{
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(64 * 1024);

    km_buf_str(&out, km_str_sub(line, 0, shown));
    if (shown < line.n)
        km_buf_str(&out, KM_STR(KM_MASK));
    if (out.n)
        disarm(out.p, out.n);
    return km_arena_str(&d->arena, km_buf_view(&out));
}

static void fill_source(struct km_diags *d, struct km_diag *g)
{
    struct source *s = d->sources;
    const struct line *l;
    unsigned end;

    while (s && !km_str_eq(s->file, g->file))
        s = s->next;
    if (s && !s->lines)
        index_source(d, s);
    if (!s || !s->lines || !g->line || g->line > s->nlines)
        return;
    l = &s->lines[g->line - 1];
    g->source = shown_line(d, l->text, l->shown);
    end = km_columns(km_str_sub(l->text, 0, l->shown)) + 1;
    if (g->column > end && l->shown < l->text.n)
        g->width = sizeof KM_MASK - 1;
    else if (g->column < end && (g->width == 0 || g->column + g->width > end))
        g->width = end - g->column; /* a mapping or a list: what there is of it on this line */
    if (!g->width)
        g->width = 1;
}

/* Whether b stands before a in the same file. */
static bool out_of_order(const struct km_diag *a, const struct km_diag *b)
{
    if (!km_str_eq(a->file, b->file))
        return false;
    return a->line != b->line ? a->line > b->line : a->column > b->column;
}

/* In the order of the file; what belongs to other files stays where it was found. */
static void sort(struct km_diags *d)
{
    for (size_t i = 1; i < d->n; i++) {
        struct km_diag g = d->v[i];
        size_t j = i;

        for (; j && out_of_order(&d->v[j - 1], &g); j--)
            d->v[j] = d->v[j - 1];
        d->v[j] = g;
    }
}

void km_diags_seal(struct km_diags *d)
{
    sort(d);
    for (size_t i = 0; i < d->n; i++)
        if (!d->v[i].source.p)
            fill_source(d, &d->v[i]);
    d->sealed = true;
}

/* A copy of ours; it may quote names from the file. */
static struct km_str keep(struct km_diags *d, struct km_str text)
{
    struct km_str copy = km_arena_str(&d->arena, text);

    if (copy.n)
        disarm((char *)(uintptr_t)copy.p, copy.n);
    return copy;
}

/* Makes room for an error, which says more than the last warning. */
static bool drop_warning(struct km_diags *d)
{
    size_t i = d->n;

    while (i && d->v[i - 1].level == KM_DIAG_ERROR)
        i--;
    if (!i)
        return false;
    memmove(&d->v[i - 1], &d->v[i], (d->n - i) * sizeof *d->v);
    d->n--;
    return true;
}

static void add(struct km_diags *d, struct km_diag g, const char *help, const char *text)
{
    d->counts[g.level]++;
    if (d->n == MAX_DIAGS && !(g.level == KM_DIAG_ERROR && drop_warning(d)))
        return;
    g.file = km_arena_str(&d->arena, g.file);
    g.message = keep(d, km_str_c(text));
    g.help = keep(d, km_str_c(help));
    d->v[d->n] = g;
    if (d->sealed)
        fill_source(d, &d->v[d->n]);
    d->n++;
}

void km_diag_add(struct km_diags *d, enum km_diag_level level, const char *code,
                 const struct km_node *at, const char *help, const char *fmt, ...)
{
    struct km_diag g = { .level = level, .code = code };
    char text[MAX_MESSAGE];
    va_list ap;

    if (at) {
        g.file = at->file;
        g.line = at->line;
        g.column = at->column;
        g.width = km_columns(at->text);
    }
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    add(d, g, help, text);
}

/* What an entry of many says, with one more subject in it. */
static struct km_str one_more(struct km_diags *d, const struct km_diag *g, struct km_str subject,
                              const struct km_node *at)
{
    enum { NAMED = 12 };
    size_t digits = km_str_chr(g->message, ' ');
    struct km_str rest = km_str_skip(g->message, digits);

    if (g->n == NAMED)
        return km_arena_printf(&d->arena, "%u%.*s, ...", g->n + 1, KM_STR_ARG(rest));
    if (g->n > NAMED)
        return km_arena_printf(&d->arena, "%u%.*s", g->n + 1, KM_STR_ARG(rest));
    if (!at || !at->line)
        return km_arena_printf(&d->arena, "%u%.*s, %.*s", g->n + 1, KM_STR_ARG(rest),
                               KM_STR_ARG(subject));
    return km_arena_printf(&d->arena, "%u%.*s, %.*s (line %u)", g->n + 1, KM_STR_ARG(rest),
                           KM_STR_ARG(subject), at->line);
}

/* The first subject of an entry, which is what stands before what is said of one. */
static struct km_str first_subject(const struct km_diag *g, struct km_str one)
{
    return km_str_sub(g->message, 0, g->message.n > one.n ? g->message.n - one.n : 0);
}

void km_diag_add_each(struct km_diags *d, enum km_diag_level level, const char *code,
                      const struct km_node *at, const char *help, struct km_str subject,
                      struct km_str one, struct km_str many)
{
    for (size_t i = 0; i < d->n; i++) {
        struct km_diag *g = &d->v[i];

        if (!g->n || strcmp(g->code, code) != 0 || !km_str_eq(g->each, many))
            continue;
        if (g->n == 1) /* "1 keys ...: the first", to be counted up */
            g->message = km_arena_printf(&d->arena, "1 %.*s: %.*s", KM_STR_ARG(many),
                                         KM_STR_ARG(first_subject(g, one)));
        g->message = keep(d, one_more(d, g, subject, at));
        g->n++;
        return;
    }
    km_diag_add(d, level, code, at, help, "%.*s%.*s", KM_STR_ARG(subject), KM_STR_ARG(one));
    if (d->n && d->v[d->n - 1].message.n && strcmp(d->v[d->n - 1].code, code) == 0) {
        d->v[d->n - 1].each = km_arena_str(&d->arena, many);
        d->v[d->n - 1].n = 1;
    }
}

void km_diag_add_at(struct km_diags *d, enum km_diag_level level, const char *code,
                    struct km_str file, unsigned line, unsigned column, const char *help,
                    const char *fmt, ...)
{
    struct km_diag g = {
        .level = level, .code = code, .file = file, .line = line, .column = column, .width = 1
    };
    char text[MAX_MESSAGE];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    add(d, g, help, text);
}

size_t km_diags_count(const struct km_diags *d, enum km_diag_level level)
{
    return d->counts[level];
}

const struct km_diag *km_diags_at(const struct km_diags *d, size_t i)
{
    return i < d->n ? &d->v[i] : NULL;
}
