/* SPDX-License-Identifier: Apache-2.0 */
/* stdio_words.c - see stdio_words.h.
 *
 *     kanmon --shim 3 --limit nofile=1024 ... --sandbox on --write DIR -- npx -y server
 *
 * A server in a sandbox may write in its own folder alone, so what programs keep elsewhere by
 * default goes there: TMPDIR, the caches of npm and uv, XDG's folders.  A cache that several
 * servers share would let one change what another runs next; who wants that names the folder in
 * `sandbox_write` and sets the variable in `env`.
 */
#include "mcp/stdio_words.h"

#include "mcp/asker.h"

#define ARGS_MOST 1024
#define OWN_ARGS 64 /* of the shim, without paths */
#define ENV_MOST 64 /* beside what is configured */

struct words {
    const struct km_mcp_upstream *upstream;
    const struct km_mcp_entry *entry;
    const char *work_dir, *cgroup;
    struct km_arena *arena;
    struct km_stdio_words *out;
};

static bool boxed(const struct words *w)
{
    return w->entry->sandbox != KM_SANDBOX_OFF;
}

static void arg(struct words *w, const char *text)
{
    if (w->out->argc + 1 < ARGS_MOST)
        w->out->argv[w->out->argc++] = text;
}

static void limit(struct words *w, const char *name, int64_t value)
{
    if (!value)
        return;
    arg(w, "--limit");
    arg(w, km_arena_printf(w->arena, "%s=%lld", name, (long long)value).p);
}

static void option(struct words *w, const char *name, int64_t value)
{
    if (!value)
        return;
    arg(w, name);
    arg(w, km_arena_i64(w->arena, value).p);
}

static void paths(struct words *w, const char *name, const struct km_str_list *list)
{
    struct km_str home = KM_STR_NONE;

    (void)km_config_getenv(w->upstream->config, "HOME", &home);
    for (size_t i = 0; i < list->n; i++) {
        bool below_home = km_str_starts(list->v[i], KM_STR("~/"));
        struct km_str rest = below_home ? km_str_skip(list->v[i], 1) : list->v[i];

        arg(w, name);
        arg(w, km_arena_printf(w->arena, "%.*s%.*s", KM_STR_ARG(below_home ? home : KM_STR_NONE),
                               KM_STR_ARG(rest))
                   .p);
    }
}

static void sandbox(struct words *w)
{
    if (!boxed(w))
        return;
    arg(w, "--sandbox");
    arg(w, km_sandbox_modes[w->entry->sandbox]);
    arg(w, "--network");
    arg(w, w->entry->sandbox_network ? "1" : "0");
    paths(w, "--read", &w->entry->sandbox_read);
    paths(w, "--write", &w->entry->sandbox_write);
    arg(w, "--write");
    arg(w, w->work_dir);
}

static int make_args(struct words *w, struct km_err *err)
{
    const struct km_mcp_entry *e = w->entry;

    if (e->args.n > ARGS_MOST - OWN_ARGS - (size_t)2 * 2 * KM_SANDBOX_PATHS)
        return km_fail(err, KM_E_CONFIG, "over %d arguments",
                       ARGS_MOST - OWN_ARGS - 2 * 2 * KM_SANDBOX_PATHS);
    w->out->argv = km_arena_zalloc(w->arena, ARGS_MOST * sizeof *w->out->argv);
    if (!w->out->argv)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    arg(w, "kanmon");
    arg(w, "--shim");
    arg(w, "3");
    limit(w, "nofile", e->limits.nofile);
    limit(w, "cpu", e->limits.cpu_s);
    limit(w, "fsize", e->limits.fsize_bytes);
    arg(w, "--limit");
    arg(w, "core=0");
    option(w, "--memory", e->limits.memory_bytes);
    if (w->cgroup && *w->cgroup && e->limits.memory_bytes) {
        arg(w, "--cgroup");
        arg(w, w->cgroup);
    }
    option(w, "--processes", e->limits.processes);
    sandbox(w);
    arg(w, "--");
    arg(w, km_arena_cstr(w->arena, e->command));
    for (size_t i = 0; i < e->args.n; i++)
        arg(w, km_arena_cstr(w->arena, e->args.v[i]));
    return km_arena_overflowed(w->arena) ? km_fail(err, KM_E_LIMIT, "its arguments are too long")
                                         : 0;
}

static bool configured(const struct km_mcp_entry *e, const char *name)
{
    for (size_t i = 0; i < e->env.n; i++)
        if (km_str_eq(e->env.v[i].name, km_str_c(name)))
            return true;
    return false;
}

static void put(struct words *w, const char *name, struct km_str value)
{
    if (!configured(w->entry, name))
        w->out->envp[w->out->envc++] =
            km_arena_printf(w->arena, "%s=%.*s", name, KM_STR_ARG(value)).p;
}

static void put_passed(struct words *w)
{
    static const char *const passed[] = {
        "HOME", "LOGNAME", "PATH", "SHELL", "TERM", "USER", "LANG", "LC_ALL", "LC_CTYPE", "TZ",
        "XDG_CONFIG_HOME", "SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS", NULL
    };
    static const char *const outside[] = { "TMPDIR", "XDG_CACHE_HOME", "XDG_DATA_HOME",
                                           "XDG_RUNTIME_DIR", NULL };
    const char *const *const lists[] = { passed, boxed(w) ? NULL : outside };

    for (size_t k = 0; k < 2; k++) {
        for (const char *const *name = lists[k]; name && *name; name++) {
            struct km_str value;

            /* A value that begins so is a shell function. */
            if (km_config_getenv(w->upstream->config, *name, &value) &&
                !km_str_starts(value, KM_STR("()")))
                put(w, *name, value);
        }
    }
}

static void put_inside(struct words *w)
{
    static const struct {
        const char *name, *folder;
    } own[] = { { "TMPDIR", "tmp" },
                { "XDG_CACHE_HOME", "cache" },
                { "XDG_DATA_HOME", "data" },
                { "npm_config_cache", "npm" } };

    for (size_t i = 0; boxed(w) && i < sizeof own / sizeof own[0]; i++)
        put(w, own[i].name, km_arena_printf(w->arena, "%s/%s", w->work_dir, own[i].folder));
}

static int make_env(struct words *w, const struct km_mcp_asker *asker, struct km_err *err)
{
    const char **own;
    size_t nown;
    int r = km_asker_env(w->upstream, asker, w->arena, &own, &nown, err);

    if (r < 0)
        return r;
    w->out->envp = km_arena_zalloc(w->arena, (ENV_MOST + nown + 1) * sizeof *w->out->envp);
    if (!w->out->envp)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    put_passed(w);
    put_inside(w);
    for (size_t i = 0; i < nown; i++)
        w->out->envp[w->out->envc++] = own[i];
    return km_arena_overflowed(w->arena) ? km_fail(err, KM_E_LIMIT, "its environment is too large")
                                         : 0;
}

static int check_paths(const struct km_str_list *list, const char *key, struct km_err *err)
{
    if (list->n >= KM_SANDBOX_PATHS)
        return km_fail(err, KM_E_LIMIT, "%s has over %d paths", key, KM_SANDBOX_PATHS - 1);
    for (size_t i = 0; i < list->n; i++)
        if (!km_str_starts(list->v[i], KM_STR("/")) && !km_str_starts(list->v[i], KM_STR("~/")))
            return km_fail(err, KM_E_CONFIG, "%s: '%.*s' is not absolute; begin it with / or ~/",
                           key, KM_STR_ARG(list->v[i]));
    return 0;
}

int km_stdio_check(const struct km_mcp_entry *e, const char **ret_warning, struct km_err *err)
{
    struct km_sandbox_have have;
    int r;

    *ret_warning = NULL;
    if (e->sandbox == KM_SANDBOX_OFF || !e->command.n)
        return 0;
    if ((r = check_paths(&e->sandbox_read, "sandbox_read", err)) < 0 ||
        (r = check_paths(&e->sandbox_write, "sandbox_write", err)) < 0)
        return r;
    km_sandbox_have(&have);
    if (e->sandbox == KM_SANDBOX_ON && !have.landlock)
        *ret_warning = "this kernel has no Landlock, so its sandbox keeps it from no files";
    else if (e->sandbox == KM_SANDBOX_ON && !have.seccomp)
        *ret_warning = "this kernel has no filters of system calls, so its sandbox has none";
    return km_sandbox_may(&have, (enum km_sandbox_mode)e->sandbox, err);
}

int km_stdio_words(const struct km_mcp_upstream *u, const struct km_mcp_asker *asker,
                   const char *work_dir, const char *cgroup, struct km_arena *arena,
                   struct km_stdio_words *ret, struct km_err *err)
{
    struct words w = { .upstream = u,
                       .entry = u->entry,
                       .work_dir = work_dir,
                       .cgroup = cgroup,
                       .arena = arena,
                       .out = ret };
    int r;

    *ret = (struct km_stdio_words){ 0 };
    r = make_args(&w, err);
    return r < 0 ? r : make_env(&w, asker, err);
}

bool km_stdio_installs(const struct km_mcp_upstream *u)
{
    /* A word that must be among the arguments too; NULL: the command always may. */
    static const struct {
        const char *command, *word;
    } rows[] = {
        { "npx", NULL },     { "bunx", NULL },    { "pnpx", NULL }, { "uvx", NULL },
        { "pipx", "run" },   { "uv", "run" },     { "uv", "tool" }, { "npm", "exec" },
        { "pnpm", "dlx" },   { "yarn", "dlx" },   { "bun", "x" },   { "deno", "run" },
        { "docker", "run" }, { "podman", "run" }, { "go", "run" },
    };
    const struct km_mcp_entry *e = u->entry;
    struct km_str name = e->command;

    if (u->transport != KM_MCP_STDIO)
        return false;
    for (size_t at = km_str_chr(name, '/'); at < name.n; at = km_str_chr(name, '/'))
        name = km_str_skip(name, at + 1);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct km_str word = km_str_c(rows[i].word);

        if (km_str_eq(name, km_str_c(rows[i].command)) &&
            (!word.n || km_str_iamong(word, e->args.v, e->args.n)))
            return true;
    }
    return false;
}
