/* SPDX-License-Identifier: Apache-2.0 */
/* text_diff.c - see text_diff.h.
 *
 *     member ──> lines: of a text its own, of an object one a member
 *     both sides: | the same | differs | the same |    as whoever changes a text mostly changes it
 *                            -  +
 *
 * One stretch from the first line that differs to the last is shown as what it was and what it is:
 * nothing that was added can hide in a smaller picture of the change.
 */
#include "app/text_diff.h"

#include "mcp/safety/scan.h"
#include "mcp/safety/shown_args.h"

#define TEXT_BYTES ((size_t)1024 * 1024)
#define DEPTH_MOST 12
#define AROUND 2 /* lines that are the same, on either side */

static void put_indent(struct km_buf *out, unsigned depth)
{
    for (unsigned i = 0; i < depth; i++)
        km_buf_str(out, KM_STR("  "));
}

/* An object, a line a member; all else on one. */
static void put_lines(const struct km_json *v, unsigned depth, struct km_buf *out)
{
    const struct km_json *item;
    struct km_json_iter it;
    struct km_str key;

    if (km_json_kind(v) != KM_JSON_OBJECT || km_json_count(v) == 0 || depth == DEPTH_MOST) {
        (void)km_args_show(v, TEXT_BYTES / 4, "", out);
        return;
    }
    km_buf_str(out, KM_STR("{\n"));
    for (km_json_iter(v, &it); km_json_next(&it, &key, &item);) {
        put_indent(out, depth + 1);
        km_buf_json(out, key);
        km_buf_str(out, KM_STR(": "));
        put_lines(item, depth + 1, out);
        km_buf_byte(out, '\n'); /* no commas: one that comes with the next line is no change */
    }
    put_indent(out, depth);
    km_buf_byte(out, '}');
}

static void put_member(const struct km_json *v, struct km_buf *out)
{
    struct km_str text;

    if (km_json_string(v, &text))
        km_buf_str(out, text);
    else if (v)
        put_lines(v, 0, out);
}

static size_t count_lines(struct km_str text)
{
    size_t n = text.n > 0;

    for (size_t i = 0; i < text.n; i++)
        n += text.p[i] == '\n';
    return n;
}

static void print_line(FILE *to, char sign, struct km_str line)
{
    struct km_buf plain KM_CLEANUP(km_buf_done) = KM_BUF(8 * TEXT_BYTES);

    km_scan_plain(&plain, line);
    fprintf(to, "        %c %.*s\n", sign, KM_STR_ARG(km_buf_view(&plain)));
}

/* Lines from..to of a text. */
static void print_lines(FILE *to, char sign, struct km_str text, size_t from, size_t end)
{
    struct km_str line;

    for (size_t i = 0; i < end && km_str_split(&text, '\n', &line); i++) {
        if (i < from)
            continue;
        if (i - from == KM_DIFF_LINES) {
            fprintf(to, "        %c (%zu lines more: --json has them)\n", sign, end - i);
            return;
        }
        print_line(to, sign, line);
    }
}

/* How many lines both begin with. */
static size_t same_head(struct km_str a, struct km_str b)
{
    struct km_str x, y;
    size_t n = 0;

    while (km_str_split(&a, '\n', &x) && km_str_split(&b, '\n', &y) && km_str_eq(x, y))
        n++;
    return n;
}

static struct km_str last_line(struct km_str *text)
{
    size_t at = text->n;
    struct km_str line;

    while (at > 0 && text->p[at - 1] != '\n')
        at--;
    line = km_str_skip(*text, at);
    *text = km_str_sub(*text, 0, at ? at - 1 : 0);
    return line;
}

/* How many lines both end with, of `most`. */
static size_t same_tail(struct km_str a, struct km_str b, size_t most)
{
    size_t n = 0;

    while (n < most && km_str_eq(last_line(&a), last_line(&b)))
        n++;
    return n;
}

static void print_change(FILE *to, struct km_str was, struct km_str is)
{
    size_t old = count_lines(was), new = count_lines(is);
    size_t least = old < new ? old : new, head = same_head(was, is), tail;

    if (head > least)
        head = least;
    tail = same_tail(was, is, least - head);
    print_lines(to, ' ', was, head > AROUND ? head - AROUND : 0, head);
    print_lines(to, '-', was, head, old - tail);
    print_lines(to, '+', is, head, new - tail);
    print_lines(to, ' ', is, new - tail, tail > AROUND ? new - tail + AROUND : new);
}

void km_show_definition(FILE *to, const struct km_json *before, const struct km_json *now)
{
    static const char *const members[] = { "title", "description", "annotations", "inputSchema",
                                           "outputSchema" };

    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        struct km_buf was KM_CLEANUP(km_buf_done) = KM_BUF(TEXT_BYTES);
        struct km_buf is KM_CLEANUP(km_buf_done) = KM_BUF(TEXT_BYTES);

        put_member(km_json_get(before, members[i]), &was);
        put_member(km_json_get(now, members[i]), &is);
        if (before ? km_str_eq(km_buf_view(&was), km_buf_view(&is)) : is.n == 0)
            continue;
        fprintf(to, "      %s\n", members[i]);
        if (before)
            print_change(to, km_buf_view(&was), km_buf_view(&is));
        else
            print_lines(to, ' ', km_buf_view(&is), 0, count_lines(km_buf_view(&is)));
    }
}
