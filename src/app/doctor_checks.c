/* SPDX-License-Identifier: Apache-2.0 */
/* doctor_checks.c - the table of checks of `kanmon doctor`, and those of this machine.
 *
 * A row is a name, what the check cannot do without, and a function.  The order is that in which
 * one would look: what keeps everything else from working stands first.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/timex.h>
#include <unistd.h>

#include "app/doctor.h"
#include "base/crypto.h"
#include "base/time.h"
#include "store/answers.h"
#include "store/place.h"
#include "sys/cgroup.h"
#include "sys/dns.h"
#include "sys/read_file.h"
#include "sys/sandbox.h"

#define DIAG_HELP 400
#define DESCRIPTORS_LEAST 4096 /* two for each caller, and the servers' pipes */
#define SPACE_LOW ((uint64_t)1 << 30)
#define SPACE_LEAST ((uint64_t)100 << 20)
#define CLOCK_LEAST_US (INT64_C(1767225600) * 1000000) /* 2026: this program is not older */

/* --- configuration --- */

static void configuration(struct km_doctor *d)
{
    const size_t errors = km_diags_count(d->diags, KM_DIAG_ERROR);
    const size_t all = errors + km_diags_count(d->diags, KM_DIAG_WARNING);
    const struct km_diag *g;
    size_t shown = 0;

    for (; shown < all && (g = km_diags_at(d->diags, shown)) != NULL; shown++) {
        char help[DIAG_HELP];

        snprintf(help, sizeof help, "%.*s", KM_STR_ARG(g->help));
        km_doctor_say(d, g->level == KM_DIAG_ERROR ? KM_DOCTOR_BAD : KM_DOCTOR_WARN,
                      g->help.n ? help : NULL, "%.*s:%u: %.*s [%s]", KM_STR_ARG(g->file), g->line,
                      KM_STR_ARG(g->message), g->code);
    }
    if (!d->snap && errors == 0)
        km_doctor_say(d, KM_DOCTOR_BAD, NULL, "%s", d->config_err.text);
    if (d->snap)
        km_doctor_say(d, KM_DOCTOR_OK, NULL, "%s loads: %zu models, %zu MCP servers", d->file,
                      km_models_count(d->snap->models), d->snap->mcp->n);
    else
        km_doctor_say(d, KM_DOCTOR_NOTE, "kanmon config check shows each at its line", "%s",
                      "it does not load");
}

static void config_file(struct km_doctor *d)
{
    struct stat st;

    if (stat(d->file, &st) < 0)
        return; /* said already */
    if (st.st_mode & S_IWOTH)
        km_doctor_say(d, KM_DOCTOR_BAD, "chmod o-w", "%s can be written by everybody", d->file);
    else if (st.st_mode & S_IROTH)
        km_doctor_say(d, KM_DOCTOR_NOTE, "chmod 600, or keep secrets as os.environ/NAME or enc:",
                      "%s can be read by everybody on this machine", d->file);
    else
        km_doctor_say(d, KM_DOCTOR_OK, NULL, "%s is not everybody's to read or write", d->file);
}

/* --- who may come in --- */

static void development(struct km_doctor *d)
{
    if (d->snap->gateway->auth == KM_AUTH_MODE_NONE)
        km_doctor_say(d, KM_DOCTOR_WARN, "remove kanmon_settings.auth, set a master key",
                      "nobody is asked for a key (auth: none): for development only");
    else if (!d->snap->has_master)
        km_doctor_say(d, KM_DOCTOR_WARN, "set general_settings.master_key",
                      "there is no master key: everybody on this machine is the administrator, and "
                      "a proxy on it that does not say it passes requests on makes everything "
                      "public");
    else
        km_doctor_say(d, KM_DOCTOR_OK, NULL, "everybody is asked for a key");
}

static bool here_only(struct km_str host)
{
    union km_addr a;

    return km_str_eq(host, KM_STR("localhost")) ||
           (km_addr_parse(host, 0, &a) == 0 && km_addr_loopback(&a));
}

static void say_listener(struct km_doctor *d, struct km_str address, bool here, bool tls)
{
    if (here || tls)
        km_doctor_say(d, KM_DOCTOR_OK, NULL, "%.*s: %s", KM_STR_ARG(address),
                      tls ? "TLS" : "for this machine only");
    else
        km_doctor_say(d, KM_DOCTOR_WARN,
                      "set listen[].tls, or listen on loopback behind a server that has it",
                      "%.*s is open to other machines without TLS: keys and prompts go in clear",
                      KM_STR_ARG(address));
}

/* As they are when a gateway runs (--host and --port count), else as they are configured. */
static void listeners(struct km_doctor *d)
{
    const struct km_table_list *list = &d->snap->gateway->listen;
    const struct km_listen_entry *entries = list->v;
    const struct km_json *address;
    struct km_json_iter it;
    struct km_str key, text;
    size_t n = 0;

    for (km_json_iter(km_json_get(d->status, "listen"), &it); km_json_next(&it, &key, &address);)
        if (km_json_string(address, &text)) {
            struct km_str host = km_str_sub(text, 0, km_str_rchr(text, ':'));

            if (km_str_starts(host, KM_STR("[")))
                host = km_str_sub(host, 1, host.n - 2);
            say_listener(d, text, here_only(host), n < list->n && entries[n].tls.cert.n);
            n++;
        }
    for (size_t i = 0; n == 0 && i < list->n; i++)
        say_listener(d, entries[i].host, here_only(entries[i].host), entries[i].tls.cert.n > 0);
    if (n == 0 && list->n == 0)
        km_doctor_say(d, KM_DOCTOR_OK, NULL, "127.0.0.1:4000: for this machine only");
}

/* --- the state folder and what is in it --- */

static void state_folder(struct km_doctor *d)
{
    struct stat st;

    if (!d->state_dir[0])
        km_doctor_say(d, KM_DOCTOR_SKIPPED, NULL, "the configuration does not load");
    else if (stat(d->state_dir, &st) < 0 && errno == ENOENT)
        km_doctor_say(d, KM_DOCTOR_NOTE, NULL, "%s is made at the first start", d->state_dir);
    else if (stat(d->state_dir, &st) < 0 || !S_ISDIR(st.st_mode))
        km_doctor_say(d, KM_DOCTOR_BAD, NULL, "%s is no folder that can be used", d->state_dir);
    else if (st.st_mode & (S_IRWXG | S_IRWXO))
        km_doctor_say(d, KM_DOCTOR_BAD, "chmod 700: keys and books are in it",
                      "%s is open to others (mode %03o)", d->state_dir, st.st_mode & 0777U);
    else if (access(d->state_dir, R_OK | W_OK | X_OK) < 0)
        km_doctor_say(d, KM_DOCTOR_BAD, "run as the user it belongs to",
                      "%s cannot be written by this user", d->state_dir);
    else
        km_doctor_say(d, KM_DOCTOR_OK, NULL, "%s is its user's alone", d->state_dir);
}

static void space(struct km_doctor *d)
{
    struct statvfs fs;
    uint64_t left;

    if (!d->state_dir[0] || statvfs(d->state_dir, &fs) < 0)
        return; /* said by the check of the folder */
    left = (uint64_t)fs.f_bavail * fs.f_frsize;
    km_doctor_say(d,
                  left < SPACE_LEAST ? KM_DOCTOR_BAD
                  : left < SPACE_LOW ? KM_DOCTOR_WARN
                                     : KM_DOCTOR_OK,
                  left < SPACE_LOW ? "a full disk keeps calls from being booked" : NULL,
                  "%llu MiB are free at %s", (unsigned long long)(left >> 20), d->state_dir);
}

static void store(struct km_doctor *d)
{
    const struct km_store_settings *s = km_config_get(d->config, &km_store_settings_table);
    struct km_err err = { 0 };
    struct km_place place;
    struct km_str health;
    int r;

    if (km_json_string(km_json_get(d->status, "store"), &health)) {
        const struct km_json *fault = km_json_get(d->status, "store_fault");
        struct km_str why = KM_STR("its log says why"), refuses = KM_STR("none");

        (void)km_json_string(km_json_get(fault, "why"), &why);
        (void)km_json_string(km_json_get(fault, "refuses"), &refuses);
        if (km_str_eq(health, KM_STR("healthy")) && km_json_kind(fault) == KM_JSON_OBJECT)
            km_doctor_say(d, KM_DOCTOR_WARN, "docs/store.md says what to do", "%.*s",
                          KM_STR_ARG(why));
        else if (km_str_eq(health, KM_STR("healthy")))
            km_doctor_say(d, KM_DOCTOR_OK, NULL, "the gateway reads and writes it");
        else
            km_doctor_say(d, KM_DOCTOR_BAD, "docs/store.md says what to do",
                          "the gateway cannot write it: %.*s (refused: %.*s)", KM_STR_ARG(why),
                          KM_STR_ARG(refuses));
        return;
    }
    if (access(d->state_dir, F_OK) < 0)
        return; /* nothing was ever stored */
    r = km_place_init(&place, s->store, d->state_dir, &err);
    if (r == 0)
        r = km_place_look(&place, &err);
    if (r == KM_E_NOT_FOUND)
        km_doctor_say(d, KM_DOCTOR_NOTE, NULL, "%s is made at the first start", place.path);
    else if (r < 0)
        km_doctor_say(d, KM_DOCTOR_BAD, NULL, "%s", err.text);
    else
        km_doctor_say(d, KM_DOCTOR_OK, NULL, "%s, %llu KiB", place.path,
                      (unsigned long long)(km_place_bytes(&place) >> 10));
}

static void secrets(struct km_doctor *d)
{
    uint8_t key[KM_AEAD_KEY_LEN];
    struct km_err err = { 0 };
    struct km_str value;
    int r;

    if (km_config_getenv(d->config, "KANMON_SECRET_KEY", &value))
        km_doctor_say(d, KM_DOCTOR_OK, NULL,
                      "KANMON_SECRET_KEY is set, and opens what is sealed "
                      "in the configuration");
    else
        km_doctor_say(d, KM_DOCTOR_NOTE, NULL,
                      "KANMON_SECRET_KEY is not set: no enc: value could be opened");
    r = km_answers_key(d->state_dir, false, key, &err);
    km_wipe(key, sizeof key);
    if (r == 0)
        km_doctor_say(d, KM_DOCTOR_OK, NULL,
                      "the state folder's key is there: log-ins and kept answers can be opened");
    else if (r != KM_E_NOT_FOUND)
        km_doctor_say(d, KM_DOCTOR_BAD, "restore it from a backup; else everybody logs in again",
                      "%s", err.text);
}

/* --- the machine --- */

/* The soft limit of the running gateway; 0: unknown. */
static uint64_t limit_of(int64_t pid)
{
    struct km_buf text KM_CLEANUP(km_buf_done) = KM_BUF(16384);
    char path[64];
    const char *at;

    snprintf(path, sizeof path, "/proc/%lld/limits", (long long)pid);
    if (km_file_read(path, KM_FILE_REGULAR, &text, NULL) < 0)
        return 0;
    at = strstr(km_buf_cstr(&text), "Max open files");
    return at ? strtoull(at + strlen("Max open files"), NULL, 10) : 0;
}

static void descriptors(struct km_doctor *d)
{
    struct rlimit limit = { 0 };
    int64_t pid = 0;
    uint64_t n;

    (void)getrlimit(RLIMIT_NOFILE, &limit); /* the gateway raises soft to hard */
    n = limit.rlim_max;
    if (km_json_i64(km_json_get(d->status, "pid"), &pid) && limit_of(pid))
        n = limit_of(pid);
    km_doctor_say(d, n < DESCRIPTORS_LEAST ? KM_DOCTOR_WARN : KM_DOCTOR_OK,
                  n < DESCRIPTORS_LEAST ? "raise LimitNOFILE, or `ulimit -Hn`" : NULL,
                  "%llu descriptors may be open", (unsigned long long)n);
}

static void machine_clock(struct km_doctor *d)
{
    struct timex t = { 0 };
    int state = adjtimex(&t);

    if (km_wall_us() < CLOCK_LEAST_US)
        km_doctor_say(d, KM_DOCTOR_BAD, "set the clock: certificates and tokens are judged by it",
                      "the clock is wrong: it is not the year it says");
    else if (state < 0)
        km_doctor_say(d, KM_DOCTOR_NOTE, NULL, "nobody may ask here whether the clock is kept");
    else if (state == TIME_ERROR || (t.status & STA_UNSYNC))
        km_doctor_say(d, KM_DOCTOR_WARN, "run chrony or systemd-timesyncd",
                      "nothing keeps this machine's clock: signatures and tokens fail when it is "
                      "minutes off");
    else
        km_doctor_say(d, KM_DOCTOR_OK, NULL, "the clock is kept");
}

/* --- what MCP servers are kept from --- */

static bool is_child(const struct km_mcp_upstream *u)
{
    return u->transport == KM_MCP_STDIO && u->entry->enabled;
}

static void say_sandbox(struct km_doctor *d, const struct km_mcp_upstream *u,
                        const struct km_sandbox_have *have)
{
    const enum km_sandbox_mode mode = (enum km_sandbox_mode)u->entry->sandbox;
    struct km_buf words KM_CLEANUP(km_buf_done) = KM_BUF(256);
    const bool all = mode == KM_SANDBOX_BUBBLEWRAP || have->landlock;

    km_sandbox_say(have, mode, &words);
    km_doctor_say(d, all && have->seccomp ? KM_DOCTOR_OK : KM_DOCTOR_WARN, NULL, "%.*s: %s%s",
                  KM_STR_ARG(u->name), km_buf_cstr(&words),
                  all && have->seccomp ? "" : "; this machine has no more");
}

static void sandbox(struct km_doctor *d)
{
    struct km_buf open KM_CLEANUP(km_buf_done) = KM_BUF(2048);
    struct km_sandbox_have have;

    km_sandbox_have(&have);
    km_doctor_say(d, KM_DOCTOR_NOTE, NULL, "this machine has %s, %s, %s",
                  have.landlock ? "Landlock" : "no Landlock",
                  have.seccomp ? "seccomp" : "no seccomp",
                  have.bubblewrap ? "bubblewrap" : "no bubblewrap");
    for (size_t i = 0; d->snap && i < d->snap->mcp->n; i++) {
        const struct km_mcp_upstream *u = d->snap->mcp->v[i];

        if (is_child(u) && u->entry->sandbox != KM_SANDBOX_OFF)
            say_sandbox(d, u, &have);
        else if (is_child(u))
            km_buf_printf(&open, "%s%.*s", open.n ? ", " : "", KM_STR_ARG(u->name));
    }
    if (open.n)
        km_doctor_say(d, KM_DOCTOR_NOTE, "sandbox: on in kanmon_settings.mcp_servers",
                      "without a sandbox: %s", km_buf_cstr(&open));
}

/* A gateway says what it has; it may stand in another cgroup than whoever asks. */
static void memory(struct km_doctor *d)
{
    const struct km_json *said = km_json_get(d->status, "memory_limits");
    struct km_cgroup_have have;
    struct km_str base, why;

    km_cgroup_have(&have);
    base = km_str_c(have.base);
    why = km_str_c(have.why);
    (void)km_json_string(km_json_get(said, "where"), &base);
    (void)km_json_string(km_json_get(said, "why"), &why);
    if (base.n)
        km_doctor_say(d, KM_DOCTOR_OK, NULL, "limits.memory is the kernel's: cgroup v2 below %.*s",
                      KM_STR_ARG(base));
    else
        km_doctor_say(d, KM_DOCTOR_NOTE, NULL,
                      "limits.memory is looked at twice a second, not kept by the kernel: %.*s",
                      KM_STR_ARG(why));
}

const struct km_doctor_check km_doctor_checks[] = {
    { "configuration", KM_DOCTOR_NOTHING, configuration },
    { "config file", KM_DOCTOR_NOTHING, config_file },
    { "gateway", KM_DOCTOR_NOTHING, km_doctor_gateway },
    { "development", KM_DOCTOR_CONFIG, development },
    { "listeners", KM_DOCTOR_CONFIG, listeners },
    { "state folder", KM_DOCTOR_NOTHING, state_folder },
    { "free space", KM_DOCTOR_NOTHING, space },
    { "store", KM_DOCTOR_CONFIG, store },
    { "secrets", KM_DOCTOR_CONFIG, secrets },
    { "descriptors", KM_DOCTOR_NOTHING, descriptors },
    { "clock", KM_DOCTOR_NOTHING, machine_clock },
    { "upstreams", KM_DOCTOR_CONFIG, km_doctor_reach },
    { "sandbox", KM_DOCTOR_NOTHING, sandbox },
    { "memory limits", KM_DOCTOR_NOTHING, memory },
    { "mcp servers", KM_DOCTOR_GATEWAY, km_doctor_servers },
    { "mcp documents", KM_DOCTOR_GATEWAY, km_doctor_left_out },
    { "mcp lists", KM_DOCTOR_GATEWAY, km_doctor_refused },
    { "mcp risks", KM_DOCTOR_GATEWAY, km_doctor_unannotated },
    { "mcp tools", KM_DOCTOR_GATEWAY, km_doctor_pins },
    { "mcp texts", KM_DOCTOR_GATEWAY, km_doctor_flagged },
    { 0 },
};
