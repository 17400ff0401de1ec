/* SPDX-License-Identifier: Apache-2.0 */
/* peek.c - one setting of a file that need not be valid (config.h: km_config_peek()).
 *
 * Who wants to stop a gateway must find it, also when the file it was started with has been broken
 * by an edit since, when a secret is set in the gateway's environment only, or when the file is
 * gone.  So nothing is judged here and nothing is reported:
 *
 *     the variable ── the file, read and resolved as ever ── its text, line by line
 *
 * The last is for what is no YAML (any more).  libyaml stops at the first error, and the section
 * that is looked for mostly stands behind it; so the text is cut at lines that begin a section, and
 * the name is looked for in its own.
 */
#include "config/config.h"

#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "config/env.h"
#include "config/load.h"
#include "sys/read_file.h"

#define ARENA_BYTES ((size_t)256 << 20)
#define TEXT_BYTES ((size_t)8 << 20)

static bool name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

static struct km_str next_line(struct km_str *rest)
{
    const size_t end = km_str_chr(*rest, '\n');
    struct km_str line = km_str_sub(*rest, 0, end);

    *rest = km_str_skip(*rest, end < rest->n ? end + 1 : end);
    return line;
}

/* Does the line begin a section at the left margin, and is it `section`? */
static bool begins_section(struct km_str line, struct km_str section, bool *ret_ours)
{
    size_t n = 0;

    if (line.n && (line.p[0] == '"' || line.p[0] == '\''))
        line = km_str_skip(line, 1);
    while (n < line.n && name_char(line.p[n]))
        n++;
    *ret_ours = n > 0 && km_str_eq(km_str_sub(line, 0, n), section);
    return n > 0;
}

/* What stands behind "name:"; a comment and what a flow mapping goes on with are not of it. */
static struct km_str scalar(struct km_str s)
{
    char quote;
    size_t end = 0;

    s = km_str_trim(s);
    quote = s.n ? s.p[0] : 0;
    if (quote == '"' || quote == '\'')
        return km_str_sub(s, 1, km_str_chr(km_str_skip(s, 1), quote));
    while (end < s.n && s.p[end] != ',' && s.p[end] != '}' &&
           !(s.p[end] == '#' && (end == 0 || s.p[end - 1] == ' ')))
        end++;
    return km_str_trim(km_str_sub(s, 0, end));
}

static bool in_line(struct km_str line, struct km_str name, struct km_str *ret)
{
    const size_t comment = km_str_find(line, KM_STR(" #"));
    size_t from = 0;

    while (from < comment) {
        const size_t at = from + km_str_find(km_str_skip(line, from), name);
        struct km_str rest;

        if (at >= comment)
            return false;
        from = at + name.n;
        rest = km_str_skip(line, from);
        if (rest.n && (rest.p[0] == '"' || rest.p[0] == '\''))
            rest = km_str_skip(rest, 1);
        rest = km_str_trim(rest);
        if ((at > 0 && name_char(line.p[at - 1])) || !km_str_starts(rest, KM_STR(":")))
            continue;
        *ret = scalar(km_str_skip(rest, 1));
        return ret->n > 0;
    }
    return false;
}

static bool in_text(struct km_str text, struct km_str section, struct km_str name,
                    struct km_str *ret)
{
    bool inside = false, ours;

    while (text.n) {
        struct km_str line = next_line(&text);

        if (begins_section(line, section, &ours))
            inside = ours;
        if (inside && !km_str_starts(km_str_trim(line), KM_STR("#")) && in_line(line, name, ret))
            return true;
    }
    return false;
}

/* What the text says, with a variable it names in its place. */
static bool from_text(struct km_arena *arena, const struct km_env *env, const char *file,
                      struct km_str section, struct km_str name, struct km_str *ret)
{
    struct km_buf text KM_CLEANUP(km_buf_done) = KM_BUF(TEXT_BYTES);
    struct km_err ignored;
    struct km_str found;

    if (km_file_read(file, KM_FILE_REGULAR, &text, &ignored) < 0 ||
        !in_text(km_buf_view(&text), section, name, &found))
        return false;
    if (km_str_starts(found, KM_STR("os.environ/")))
        return km_env_get(env, km_str_skip(found, sizeof "os.environ/" - 1), ret);
    *ret = km_arena_str(arena, found);
    return true;
}

static bool look(struct km_arena *arena, const char *file, const char *path, const char *variable,
                 struct km_str *ret)
{
    struct km_diags *said = km_diags_new();
    const struct km_str all = km_str_c(path);
    const size_t dot = km_str_rchr(all, '.');
    const struct km_node *root = NULL, *node;
    struct km_err ignored;
    struct km_env env;
    struct stat st;
    bool found, read;

    if (!said)
        return false;
    km_env_init(&env, arena, (const char *const *)environ);
    /* What is read from a pipe is gone for whoever reads it next. */
    read = stat(file, &st) == 0 && S_ISREG(st.st_mode) &&
           km_load_tree(arena, km_str_c(file), said, &root, &ignored) == 0;
    /* Of .env files that cannot be read the variables are not set. */
    (void)!km_load_env(&env, km_str_c(file), read ? root : NULL, said, &ignored);
    found = km_env_get(&env, km_str_c(variable), ret) && ret->n > 0;
    if (!found && read) {
        node = km_node_path(km_load_resolve(arena, &env, root), path);
        found = node && node->type == KM_NODE_STR && node->text.n > 0;
        if (found)
            *ret = node->text;
    } else if (!found) {
        found =
            from_text(arena, &env, file, km_str_sub(all, 0, dot), km_str_skip(all, dot + 1), ret);
    }
    km_diags_free(said);
    return found && ret->n > 0;
}

bool km_config_peek(const char *file, const char *path, const char *variable, char *out, size_t cap)
{
    struct km_arena arena;
    struct km_str value;
    bool found;

    km_arena_init(&arena, ARENA_BYTES, NULL);
    found = look(&arena, file, path, variable, &value) && value.n < cap;
    if (found) {
        memcpy(out, value.p, value.n);
        out[value.n] = 0;
    }
    km_arena_done(&arena);
    return found;
}
