/* SPDX-License-Identifier: Apache-2.0 */
/* find.c - see find.h.
 *
 * A gateway is found by its state folder, and a state folder by the configuration file.  But the
 * file may be broken by now, or gone, or say another folder than when the gateway was started, and
 * the folder may have come from a variable that is set nowhere else.  So:
 *
 *     --state-dir ─┐
 *     the variable ├─> the folder ──> does anybody answer there? ──> with this file? ──> found
 *     the file     │                        │ no                          │ no
 *     .kanmon     ─┘                        v                             v
 *                      our processes: who holds the lock          refused, naming both
 *                      of a state folder, for this file?
 *
 * Nothing is resolved or judged for it: a command must work from another environment than the
 * gateway's.  Whose a folder is says its lock file, where the holder wrote its process and its
 * configuration; that is believed only while somebody answers, or holds the supervisor's lock.
 */
#include "app/find.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/state.h"
#include "config/config.h"
#include "sys/unix.h"

#define PROCESSES_MOST 100000 /* that are looked at */

/* --- where it would be --- */

static void folder_of(const char *file, const char *canonical, char out[PATH_MAX])
{
    char *slash;

    if (!realpath(file, out)) /* gone: where it was */
        snprintf(out, PATH_MAX, "%s", canonical);
    slash = strrchr(out, '/');
    if (slash)
        *slash = 0;
}

static int usual_dir(const struct km_cli *cli, const char *canonical, char out[KM_STATE_DIR_BYTES],
                     struct km_err *err)
{
    const char *file = km_cli_config_file(cli);
    char said[PATH_MAX], folder[PATH_MAX];
    int n;

    if (cli->state_dir[0]) {
        n = snprintf(out, KM_STATE_DIR_BYTES, "%s", cli->state_dir);
    } else {
        if (!km_config_peek(file, "kanmon_settings.state_dir", "KANMON_STATE_DIR", said,
                            sizeof said))
            snprintf(said, sizeof said, ".kanmon");
        folder_of(file, canonical, folder);
        n = said[0] == '/' ? snprintf(out, KM_STATE_DIR_BYTES, "%s", said)
                           : snprintf(out, KM_STATE_DIR_BYTES, "%s/%s", folder, said);
    }
    if (n < KM_STATE_DIR_BYTES)
        return 0;
    out[0] = 0;
    return km_fail(err, KM_E_CONFIG, "the state folder's path has %d bytes, at most %d can be used",
                   n, KM_STATE_DIR_BYTES - 1);
}

/* --- who is there --- */

static int forbidden(const char *dir, struct km_err *err)
{
    struct stat st;
    char whose[40] = "another user";

    if (stat(dir, &st) == 0)
        snprintf(whose, sizeof whose, "user %u", st.st_uid);
    return km_fail(err, KM_E_FORBIDDEN,
                   "Permission denied: the state folder '%s' belongs to %s; run this as that user, "
                   "or as root",
                   dir, whose);
}

/* KM_E_NOT_RUNNING: nobody. */
static int look(const char *dir, struct km_running *ret, struct km_err *err)
{
    struct km_state_holder gateway = { 0 }, supervisor = { 0 };
    char socket[PATH_MAX];
    int fd, r;

    snprintf(socket, sizeof socket, "%s/" KM_STATE_SOCKET, dir);
    r = km_unix_connect(socket, &fd, err);
    if (r == KM_E_FORBIDDEN)
        return forbidden(dir, err);
    snprintf(ret->dir, sizeof ret->dir, "%s", dir);
    if (km_state_held(dir, KM_STATE_SUPERVISOR, &supervisor))
        ret->supervisor = supervisor.pid;
    if (r == 0) {
        close(fd);
        km_state_holder(dir, KM_STATE_LOCK, &gateway);
        ret->pid = gateway.pid;
        snprintf(ret->config, sizeof ret->config, "%s", gateway.config);
        return 0;
    }
    snprintf(ret->config, sizeof ret->config, "%s", supervisor.config);
    return ret->supervisor ? 0 : r; /* between two gateways there is the supervisor alone */
}

static bool same_file(const char *a, const char *b)
{
    struct stat x, y;

    return strcmp(a, b) == 0 ||
           (stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino);
}

/* Did whoever calls say which folder? */
static bool dir_named(const struct km_cli *cli)
{
    const char *by_variable = getenv("KANMON_STATE_DIR");

    return cli->state_dir[0] || (by_variable && *by_variable);
}

/* Did they say which file, so that another one's gateway is not meant? */
static bool file_counts(const struct km_cli *cli, const char *canonical)
{
    return km_cli_config_named(cli) || (!dir_named(cli) && access(canonical, F_OK) == 0);
}

static int compare(const struct km_cli *cli, const char *canonical, const struct km_running *run,
                   struct km_err *err)
{
    if (!run->config[0] || same_file(run->config, canonical) || !file_counts(cli, canonical))
        return 0;
    return km_fail(err, KM_E_EXISTS,
                   "the gateway that runs in '%s' (process %ld) has the configuration '%s', not "
                   "'%s'. Name its file, or give yours a state folder of its own: "
                   "kanmon_settings.state_dir or --state-dir",
                   run->dir, run->pid ? run->pid : run->supervisor, run->config, canonical);
}

/* --- by our processes --- */

/* The folder of a lock that `link` is, or false. */
static bool folder_of_lock(const char *link, char out[KM_STATE_DIR_BYTES])
{
    static const char *const names[] = { "/" KM_STATE_LOCK, "/" KM_STATE_SUPERVISOR };
    const size_t n = strlen(link);

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const size_t tail = strlen(names[i]);

        if (n > tail && n - tail < KM_STATE_DIR_BYTES && strcmp(link + n - tail, names[i]) == 0) {
            memcpy(out, link, n - tail);
            out[n - tail] = 0;
            return true;
        }
    }
    return false;
}

/* Is it a process with a state folder, for this file? */
static bool look_at_process(const char *pid, const char *canonical, struct km_running *ret)
{
    char path[64], link[PATH_MAX], dir[KM_STATE_DIR_BYTES];
    struct km_err ignored;
    struct dirent *entry;
    struct stat st;
    bool found = false;
    DIR *fds;

    snprintf(path, sizeof path, "/proc/%.20s/fd", pid);
    /* Root could read everybody's, and believe what they say. */
    fds = stat(path, &st) == 0 && st.st_uid == geteuid() ? opendir(path) : NULL;
    while (fds && !found && (entry = readdir(fds)) != NULL) {
        ssize_t n = readlinkat(dirfd(fds), entry->d_name, link, sizeof link - 1);

        if (n <= 0)
            continue;
        link[n] = 0;
        if (!folder_of_lock(link, dir))
            continue;
        *ret = (struct km_running){ 0 };
        found = look(dir, ret, &ignored) == 0 && same_file(ret->config, canonical);
    }
    if (fds)
        closedir(fds);
    return found;
}

static bool look_at_processes(const char *canonical, struct km_running *ret)
{
    DIR *proc = opendir("/proc");
    struct dirent *entry;
    bool found = false;
    int left = PROCESSES_MOST;

    while (proc && !found && left > 0 && (entry = readdir(proc)) != NULL)
        if (isdigit((unsigned char)entry->d_name[0])) {
            left--;
            found = look_at_process(entry->d_name, canonical, ret);
        }
    if (proc)
        closedir(proc);
    return found;
}

int km_find_running(const struct km_cli *cli, struct km_running *ret, struct km_err *err)
{
    char canonical[PATH_MAX], dir[KM_STATE_DIR_BYTES] = "";
    struct km_err why = { 0 };
    int r;

    *ret = (struct km_running){ 0 };
    km_cli_config_path(cli, canonical);
    r = usual_dir(cli, canonical, dir, &why);
    if (r == 0)
        r = look(dir, ret, &why);
    if (r == 0)
        r = compare(cli, canonical, ret, &why);
    if (r == 0 || (r != KM_E_FORBIDDEN && !cli->state_dir[0] && look_at_processes(canonical, ret)))
        return 0;
    *ret = (struct km_running){ 0 };
    snprintf(ret->dir, sizeof ret->dir, "%s", dir);
    if (r != KM_E_NOT_RUNNING)
        return km_fail(err, r, "%s", why.text);
    return km_fail(err, KM_E_NOT_RUNNING,
                   "no gateway is running here (%s). Start one: kanmon start --config %s", dir,
                   km_cli_config_file(cli));
}
