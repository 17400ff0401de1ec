/* SPDX-License-Identifier: Apache-2.0 */
/* mask.c - see mask.h for the contract.
 *
 * A diagnostic shows the line it is about, and the line may hold a secret: known to the rows,
 * or in a file that does not even parse.  So showing is decided on text alone, in favour of
 * hiding: after a name that sounds like a secret, after "sk-" and after a URL's user, the rest
 * of the line is masked.  What cannot be a secret stays readable: numbers (a price per token),
 * booleans, nothing, and the name of an environment variable.
 */
#include "config/mask.h"

static bool is_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.';
}

static bool contains(struct km_str s, const char *part)
{
    struct km_str needle = km_str_c(part);

    for (size_t i = 0; i + needle.n <= s.n; i++)
        if (km_str_ieq(km_str_sub(s, i, needle.n), needle))
            return true;
    return false;
}

bool km_mask_name(struct km_str name)
{
    static const char *const parts[] = {
        "key",          "token",         "secret",     "passw",   "credential",
        "private",      "authorization", "auth_value", "cookie",  "connection_string",
        "database_url", "redis_url",     "dsn",        "webhook", NULL,
    };

    for (size_t i = 0; parts[i]; i++)
        if (contains(name, parts[i]))
            return true;
    return false;
}

/* A value that says nothing: a number, a boolean, nothing, a variable's name, a collection
 * that starts on the next line. */
static bool harmless_value(struct km_str v)
{
    static const char *const words[] = { "",     "true",  "false", "null", "~",
                                         "True", "False", "yes",   "no",   NULL };
    size_t i = 0;

    v = km_str_trim(km_str_sub(v, 0, km_str_find(v, KM_STR(" #"))));
    if (v.n && (v.p[0] == '"' || v.p[0] == '\''))
        v = km_str_skip(v, 1);
    if (km_str_starts(v, KM_STR("os.environ/")))
        return true;
    for (size_t w = 0; words[w]; w++)
        if (km_str_eq(v, km_str_c(words[w])))
            return true;
    while (i < v.n && ((v.p[i] >= '0' && v.p[i] <= '9') || strchr("+-.eE_", v.p[i])))
        i++;
    return i == v.n && v.n <= 16;
}

static bool goes_on(struct km_str value)
{
    char c;

    value = km_str_trim(value);
    if (!value.n)
        return false;
    c = value.p[0];
    if (c == '|' || c == '>')
        return true;
    return (c == '"' || c == '\'') && km_str_rchr(value, c) == 0;
}

/* The name that ends before the ':' at `colon`, without quotes. */
static struct km_str name_before(struct km_str line, size_t colon)
{
    size_t end = colon, from;

    while (end && (line.p[end - 1] == ' ' || line.p[end - 1] == '"' || line.p[end - 1] == '\''))
        end--;
    for (from = end; from && is_name(line.p[from - 1]);)
        from--;
    return km_str_sub(line, from, end - from);
}

/* "sk-..." or "://user:...@" at i. */
static bool looks_secret(struct km_str line, size_t i)
{
    struct km_str rest = km_str_skip(line, i);

    if (km_str_starts(rest, KM_STR("sk-")))
        return i == 0 || !is_name(line.p[i - 1]);
    if (km_str_starts(rest, KM_STR("://")))
        return km_str_chr(rest, '@') < rest.n;
    return false;
}

size_t km_mask_from(struct km_str line, bool *ret_open)
{
    *ret_open = false;
    for (size_t i = 0; i < line.n; i++) {
        if (looks_secret(line, i))
            return i;
        if (line.p[i] == ':' && km_mask_name(name_before(line, i))) {
            struct km_str value = km_str_skip(line, i + 1);

            if (harmless_value(value))
                continue;
            *ret_open = goes_on(value);
            return i + 1 + (value.n && value.p[0] == ' ');
        }
    }
    return line.n;
}
