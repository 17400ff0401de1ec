/* SPDX-License-Identifier: Apache-2.0 */
/* Files of MCP servers of other programs.
 *
 * Properties: comments cost no place, the text keeps its length and its lines; an error says
 * what is wrong; a result begins as a document of ours, and no value that begins as a secret of
 * GitHub's stands in it.
 */
#include "fuzz.h"

#include "mcp/import.h"

static size_t lines(const char *p, size_t n)
{
    size_t found = 0;

    for (size_t i = 0; i < n; i++)
        found += p[i] == '\n';
    return found;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct km_buf yaml = KM_BUF((size_t)64 * 1024 * 1024), notes = KM_BUF((size_t)1024 * 1024);
    char *text = malloc(size + 1);
    struct km_err err = { 0 };
    size_t before;
    int r;

    if (!text)
        return 0;
    memcpy(text, data, size);
    before = lines(text, size);
    r = km_mcp_import(text, size, &yaml, &notes, &err);
    if (lines(text, size) != before || (r < 0 && !err.text[0]))
        abort();
    if (r == 0 && !km_str_starts(km_buf_view(&yaml), KM_STR("mcp_servers:")))
        abort();
    /* As a value: what is a name (of a header, say) is kept, whatever it looks like. */
    if (r == 0 && (km_str_find(km_buf_view(&yaml), KM_STR(": \"ghp_")) < yaml.n ||
                   km_str_find(km_buf_view(&yaml), KM_STR("- \"ghp_")) < yaml.n))
        abort();
    km_buf_done(&yaml);
    km_buf_done(&notes);
    free(text);
    return 0;
}
