/* SPDX-License-Identifier: Apache-2.0 */
/* profile.c - see profile.h.
 *
 * The files are small and read seldom, so a look-up walks the text: no table is kept.  A key is
 * lower-cased by no one; comments are lines that begin with '#' or ';', and " #" after a value.
 * Lines that begin with white space belong to the key before (nested settings): they are skipped.
 */
#include "llm/aws/profile.h"

#include "base/crypto.h"
#include "sys/read_file.h"

int km_aws_read_file(struct km_arena *arena, struct km_str path, struct km_str *ret_text,
                     struct km_err *err)
{
    struct km_buf text KM_CLEANUP(km_buf_done) = KM_BUF(KM_AWS_FILE_MOST);
    struct km_err why;
    int r = km_file_read(km_arena_cstr(arena, path), KM_FILE_REGULAR, &text, &why);

    *ret_text = KM_STR_NONE;
    if (r == KM_E_NOT_FOUND)
        return 0;
    if (r < 0)
        return km_fail(err, r, "%.*s: %s", KM_STR_ARG(path), why.text);
    *ret_text = km_arena_str(arena, km_buf_view(&text));
    km_wipe(text.p, text.n);
    return km_arena_overflowed(arena) ? km_fail(err, KM_E_NOMEM, "out of memory") : 0;
}

static struct km_str trim_line(struct km_str line)
{
    if (line.n && line.p[line.n - 1] == '\r')
        line.n--;
    return line;
}

/* The profile a section line names; false when it names none. */
static bool section(struct km_str line, bool config, struct km_str *ret_profile)
{
    size_t end = km_str_chr(line, ']');
    struct km_str name;

    if (!line.n || line.p[0] != '[')
        return false;
    name = km_str_trim(km_str_sub(line, 1, end - 1));
    *ret_profile = KM_STR_NONE;
    if (end == line.n)
        return true;
    if (!config || km_str_eq(name, KM_STR("default"))) {
        *ret_profile = name;
    } else if (km_str_starts(name, KM_STR("profile ")) ||
               km_str_starts(name, KM_STR("profile\t"))) {
        *ret_profile = km_str_trim(km_str_skip(name, 7));
    }
    return true;
}

/* key NULL: is there such a section at all? */
static bool find(struct km_str text, bool config, struct km_str profile, const char *key,
                 struct km_str *ret_value)
{
    struct km_str line, name = KM_STR_NONE;

    while (km_str_split(&text, '\n', &line)) {
        size_t eq, comment;

        line = trim_line(line);
        if (section(line, config, &name)) {
            if (!key && km_str_eq(name, profile))
                return true;
            continue;
        }
        if (!key || !line.n || !name.n || !km_str_eq(name, profile) || line.p[0] == '#' ||
            line.p[0] == ';' || line.p[0] == ' ' || line.p[0] == '\t')
            continue;
        eq = km_str_chr(line, '=');
        if (eq == line.n || !km_str_eq(km_str_trim(km_str_sub(line, 0, eq)), km_str_c(key)))
            continue;
        line = km_str_skip(line, eq + 1);
        comment = km_str_find(line, KM_STR(" #"));
        *ret_value = km_str_trim(km_str_sub(line, 0, comment));
        return true;
    }
    return false;
}

bool km_aws_profile_get(const struct km_aws_files *files, struct km_str profile, const char *key,
                        struct km_str *ret_value)
{
    return find(files->credentials, false, profile, key, ret_value) ||
           find(files->config, true, profile, key, ret_value);
}

bool km_aws_profile_exists(const struct km_aws_files *files, struct km_str profile)
{
    struct km_str ignored;

    return find(files->credentials, false, profile, NULL, &ignored) ||
           find(files->config, true, profile, NULL, &ignored);
}
