/* SPDX-License-Identifier: Apache-2.0 */
/* profile.c - see profile.h.
 *
 * The files are small and read seldom, so a look-up walks the text: no table is kept.  A key is
 * lower-cased by no one; comments are lines that begin with '#' or ';', and " #" after a value.
 * Lines that begin with white space belong to the key before (nested settings): they are skipped.
 */
#include "llm/aws/profile.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static int read_all(struct km_arena *arena, int fd, struct km_str path, struct km_str *ret_text,
                    struct km_err *err)
{
    size_t n = 0, cap = 4096;
    char *p = km_arena_alloc(arena, cap);

    while (p) {
        ssize_t r = read(fd, p + n, cap - n);

        if (r < 0 && errno == EINTR)
            continue;
        if (r < 0)
            return km_fail_errno(err, errno, "%.*s", KM_STR_ARG(path));
        if (r == 0) {
            *ret_text = km_str(p, n);
            return 0;
        }
        n += (size_t)r;
        if (n == cap) {
            char *more = cap < KM_AWS_FILE_MOST ? km_arena_alloc(arena, cap * 2) : NULL;

            if (!more)
                return km_fail(err, KM_E_LIMIT, "%.*s is over %d bytes", KM_STR_ARG(path),
                               KM_AWS_FILE_MOST);
            memcpy(more, p, n);
            p = more;
            cap *= 2;
        }
    }
    return km_fail(err, KM_E_NOMEM, "out of memory");
}

int km_aws_read_file(struct km_arena *arena, struct km_str path, struct km_str *ret_text,
                     struct km_err *err)
{
    int fd = open(km_arena_cstr(arena, path), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    int r;

    *ret_text = KM_STR_NONE;
    if (fd < 0)
        return errno == ENOENT || errno == ENOTDIR
                   ? 0
                   : km_fail_errno(err, errno, "%.*s", KM_STR_ARG(path));
    r = read_all(arena, fd, path, ret_text, err);
    close(fd);
    return r;
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
