/* SPDX-License-Identifier: Apache-2.0 */
/* names.c - see names.h for the contract.
 *
 *     github + list_issues            github-list_issues
 *     github + list.issues            github-list_issues
 *     github + a name of 90 letters   github-<its first letters>_1f3c9a02
 *
 * A template is matched with one place to go back to for each expression, so the work is bounded
 * by the product of the two lengths.
 */
#include "mcp/view/names.h"

#include "base/crypto.h"

#define SUFFIX 9 /* "_" and eight digits */

static char plain(char c)
{
    bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '_' || c == '-';

    return ok ? c : '_';
}

struct km_str km_mcp_name_wire(struct km_arena *arena, struct km_str alias, struct km_str name,
                               bool taken)
{
    size_t n = alias.n + 1 + name.n, keep = n;
    bool cut = taken || n > KM_MCP_NAME_MOST;
    char hex[65], *p;

    if (cut && keep > KM_MCP_NAME_MOST - SUFFIX)
        keep = KM_MCP_NAME_MOST - SUFFIX;
    p = km_arena_alloc(arena, keep + SUFFIX + 1);
    if (!p)
        return KM_STR_NONE;
    for (size_t i = 0; i < keep; i++) {
        char c = i < alias.n ? alias.p[i] : i == alias.n ? '-' : name.p[i - alias.n - 1];

        p[i] = plain(c);
    }
    if (!cut)
        return km_str(p, keep);
    struct km_str whole = km_arena_cat(arena, (struct km_str[]){ alias, KM_STR("\n"), name }, 3);

    km_sha256_hex(whole, hex);
    p[keep] = '_';
    memcpy(p + keep + 1, hex, SUFFIX - 1);
    return km_str(p, keep + SUFFIX);
}

struct km_str km_mcp_name_prefix(struct km_arena *arena, struct km_str alias)
{
    return km_mcp_name_wire(arena, alias, KM_STR_NONE, false);
}

/* "{+path}" and the operators that may give a '/'. */
static bool greedy(struct km_str expression)
{
    return expression.n &&
           (strchr("+#/?&;.", expression.p[0]) || expression.p[expression.n - 1] == '*');
}

bool km_mcp_template_matches(struct km_str pattern, struct km_str uri)
{
    size_t p = 0, u = 0, back_p = SIZE_MAX, back_u = 0;
    bool any = false;

    while (u < uri.n || p < pattern.n) {
        if (p < pattern.n && pattern.p[p] == '{') {
            size_t close = km_str_chr(km_str_skip(pattern, p), '}');
            struct km_str inside = km_str_sub(pattern, p + 1, close - 1);

            if (p + close >= pattern.n)
                return false;
            any = greedy(inside);
            p += close + 1;
            back_p = p;
            if (!any) { /* at least one character, and no '/' */
                if (u >= uri.n || uri.p[u] == '/')
                    return false;
                u++;
            }
            back_u = u;
        } else if (p < pattern.n && u < uri.n && pattern.p[p] == uri.p[u]) {
            p++;
            u++;
        } else if (back_p != SIZE_MAX && back_u < uri.n && (any || uri.p[back_u] != '/')) {
            p = back_p; /* the last expression takes one more */
            u = ++back_u;
        } else {
            return false;
        }
    }
    return true;
}
