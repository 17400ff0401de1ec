/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of a stdio server, cut at a place the input names.
 *
 * Properties: the lines are the same cut or whole; none is empty, holds a newline or is over the
 * limit; a refusal says why.
 */
#include "fuzz.h"

#include "mcp/lines.h"

#define LIMIT 32

static int note(void *ctx, struct km_str line)
{
    struct km_buf *out = ctx;

    if (!line.n || line.n > LIMIT || km_str_chr(line, '\n') < line.n)
        abort();
    km_buf_str(out, line);
    km_buf_byte(out, '\n');
    return 0;
}

static int feed(const char *p, size_t n, size_t cut, struct km_buf *out)
{
    struct km_lines lines;
    struct km_err err = { 0 };
    int r;

    km_lines_init(&lines, LIMIT, note, out);
    r = km_lines_feed(&lines, p, cut, &err);
    if (r == 0)
        r = km_lines_feed(&lines, p + cut, n - cut, &err);
    if (r < 0 && !err.text[0])
        abort();
    km_lines_done(&lines);
    return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct km_buf whole = KM_BUF((size_t)64 * 1024 * 1024), cut = KM_BUF((size_t)64 * 1024 * 1024);
    const char *p = (const char *)data;
    int a, b;

    if (size < 1)
        return 0;
    a = feed(p + 1, size - 1, 0, &whole);
    b = feed(p + 1, size - 1, data[0] % size, &cut);
    if (a != b || !km_str_eq(km_buf_view(&whole), km_buf_view(&cut)))
        abort();
    km_buf_done(&whole);
    km_buf_done(&cut);
    return 0;
}
