/* SPDX-License-Identifier: Apache-2.0 */
/* state.c - see state.h.
 *
 * A port below 1024 may need root, nothing after it does.  Root is dropped as soon as the
 * sockets are bound and before any file of the state folder is opened, so that everything in
 * it belongs to the user the gateway runs as.  A folder that was there already keeps its owner:
 * whoever made it decided.
 *
 * A lock is a file of two lines, the holder's process and the configuration it was started with,
 * so that commands know whose the folder is though the file itself may be broken or gone by now.
 */
#include "app/state.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/log_fd.h"
#include "config/config.h"
#include "host/settings.h"
#include "sys/blocking.h"
#include "sys/read_file.h"

#define STATUS_BYTES (64 * 1024)
#define PROBE_MS 10
#define PROBES 10

/* false: root is not to be dropped. */
static int user_of(const struct km_config *config, bool *ret_drop, struct passwd *ret,
                   char text[1024], struct km_err *err)
{
    const struct km_gateway_settings *s = km_config_get(config, &km_gateway_settings_table);
    struct passwd *found = NULL;
    char name[256];

    *ret_drop = geteuid() == 0 && s->user.n > 0;
    if (!*ret_drop)
        return 0;
    snprintf(name, sizeof name, "%.*s", KM_STR_ARG(s->user));
    if (getpwnam_r(name, ret, text, 1024, &found) == 0 && found)
        return 0;
    return km_fail(err, KM_E_CONFIG, "kanmon_settings.user: this machine has no user '%s'", name);
}

int km_state_give(const struct km_config *config, const char *path, struct km_err *err)
{
    struct passwd pw;
    char text[1024];
    bool drop;
    int r = user_of(config, &drop, &pw, text, err);

    if (r < 0 || !drop)
        return r;
    return chown(path, pw.pw_uid, pw.pw_gid) == 0
               ? 0
               : km_fail_errno(err, errno, "cannot give '%s' to %s", path, pw.pw_name);
}

static int make_one(const struct km_config *config, const char *path, struct km_err *err)
{
    if (mkdir(path, 0700) == 0)
        return km_state_give(config, path, err);
    if (errno == EEXIST)
        return 0;
    return km_fail_errno(err, errno,
                         "cannot make the state folder '%s' (another place: "
                         "kanmon_settings.state_dir or --state-dir)",
                         path);
}

int km_state_make(const struct km_config *config, const char *dir, struct km_err *err)
{
    char path[PATH_MAX];
    struct stat st;
    int r = 0;

    snprintf(path, sizeof path, "%s", dir);
    for (char *at = path + 1; r == 0 && (at = strchr(at, '/')) != NULL; at++) {
        *at = 0;
        if (stat(path, &st) < 0 && errno == ENOENT)
            r = make_one(config, path, err);
        *at = '/';
    }
    return r == 0 ? make_one(config, dir, err) : r;
}

int km_state_sign(int fd, const char *config, struct km_err *err)
{
    char text[PATH_MAX + 32];
    int n = config ? snprintf(text, sizeof text, "%ld\n%s\n", (long)getpid(), config)
                   : snprintf(text, sizeof text, "%ld\n", (long)getpid());

    if (n > 0 && (size_t)n < sizeof text && ftruncate(fd, 0) == 0 &&
        pwrite(fd, text, (size_t)n, 0) == n)
        return 0;
    return km_fail_errno(err, errno, "cannot write who uses the state folder");
}

/* A file that others read the process from, by `kill "$(cat ...)"`, has nothing else in it: its
 * holder's configuration stands beside it. */
static bool config_beside(const char *dir, const char *name, char out[PATH_MAX])
{
    struct km_str stem = km_str_c(name);

    if (!km_str_ends(stem, KM_STR(".pid")))
        return false;
    stem.n -= 4;
    snprintf(out, PATH_MAX, "%s/%.*s.config", dir, KM_STR_ARG(stem));
    return true;
}

static int sign(const char *dir, const char *name, int fd, const char *config, struct km_err *err)
{
    char path[PATH_MAX];
    const size_t n = strlen(config);
    int beside;
    bool ok;

    if (!config_beside(dir, name, path))
        return km_state_sign(fd, config, err);
    beside = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    ok = beside >= 0 && pwrite(beside, config, n, 0) == (ssize_t)n;
    if (!ok)
        km_fail_errno(err, errno, "cannot write '%s'", path);
    if (beside >= 0)
        close(beside);
    return ok ? km_state_sign(fd, NULL, err) : KM_E_SYSTEM;
}

static void read_config_beside(const char *dir, const char *name, struct km_state_holder *ret)
{
    char path[PATH_MAX];
    ssize_t n;
    int fd;

    if (ret->config[0] || !config_beside(dir, name, path))
        return;
    fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return;
    n = pread(fd, ret->config, sizeof ret->config - 1, 0);
    ret->config[n > 0 ? n : 0] = 0;
    close(fd);
}

void km_state_remove(const char *dir, const char *name)
{
    char path[PATH_MAX];

    if (config_beside(dir, name, path))
        unlink(path);
    snprintf(path, sizeof path, "%s/%s", dir, name);
    unlink(path);
}

/* Root ends processes of which a file speaks that another user may write. */
static bool runs_as(long pid, uid_t uid)
{
    struct km_buf text KM_CLEANUP(km_buf_done) = KM_BUF(STATUS_BYTES);
    struct km_err ignored;
    struct km_str rest;
    char path[64];
    uint64_t found;

    snprintf(path, sizeof path, "/proc/%ld/status", pid);
    if (km_file_read(path, KM_FILE_ANY, &text, &ignored) < 0)
        return false;
    rest = km_buf_view(&text);
    rest = km_str_skip(rest, km_str_find(rest, KM_STR("\nUid:\t")));
    rest = km_str_skip(rest, rest.n > 6 ? 6 : rest.n);
    return km_str_u64(km_str_sub(rest, 0, km_str_chr(rest, '\t')), &found) == 0 && found == uid;
}

bool km_state_is_owner(const char *dir, const char *name, long pid)
{
    char path[PATH_MAX];
    struct stat st;

    snprintf(path, sizeof path, "%s/%s", dir, name);
    return pid > 0 && lstat(path, &st) == 0 && runs_as(pid, st.st_uid);
}

static void read_holder(int fd, struct km_state_holder *ret)
{
    char text[PATH_MAX + 32], *end;
    ssize_t n = pread(fd, text, sizeof text - 1, 0);
    struct stat st;

    *ret = (struct km_state_holder){ 0 };
    if (n <= 0 || fstat(fd, &st) < 0)
        return;
    text[n] = 0;
    ret->pid = strtol(text, &end, 10);
    if (*end != '\n' || !runs_as(ret->pid, st.st_uid)) /* a number that is cut is another one's */
        ret->pid = 0;
    if (*end != '\n' || text[n - 1] != '\n')
        return;
    text[n - 1] = 0;
    if (end < text + n - 1)
        snprintf(ret->config, sizeof ret->config, "%s", end + 1);
}

static int open_lock(const char *dir, const char *name, int flags)
{
    char path[PATH_MAX];

    snprintf(path, sizeof path, "%s/%s", dir, name);
    return open(path, flags | O_CLOEXEC, 0600);
}

void km_state_holder(const char *dir, const char *name, struct km_state_holder *ret)
{
    int fd = open_lock(dir, name, O_RDONLY);

    *ret = (struct km_state_holder){ 0 };
    if (fd < 0)
        return;
    read_holder(fd, ret);
    read_config_beside(dir, name, ret);
    close(fd);
}

bool km_state_held(const char *dir, const char *name, struct km_state_holder *ret)
{
    int fd = open_lock(dir, name, O_RDONLY);
    bool held;

    *ret = (struct km_state_holder){ 0 };
    if (fd < 0)
        return false;
    held = flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
    if (held) {
        read_holder(fd, ret);
        read_config_beside(dir, name, ret);
    }
    close(fd);
    return held && ret->pid > 0;
}

static int in_use(const char *dir, const char *config, const struct km_state_holder *by,
                  struct km_err *err)
{
    if (by->config[0] && strcmp(by->config, config) != 0)
        return km_fail(err, KM_E_EXISTS,
                       "the state folder '%s' is in use by the gateway of '%s' (process %ld); "
                       "'%s' needs one of its own: kanmon_settings.state_dir or --state-dir",
                       dir, by->config, by->pid, config);
    return km_fail(err, KM_E_EXISTS,
                   "another gateway (process %ld) uses the state folder '%s'; stop it (`kanmon "
                   "stop`), or set kanmon_settings.state_dir",
                   by->pid, dir);
}

int km_state_lock(const char *dir, const char *name, const char *config, int *ret_fd,
                  struct km_err *err)
{
    struct km_state_holder by;
    int fd = open_lock(dir, name, O_RDWR | O_CREAT), r, taken;

    if (fd < 0)
        return km_fail_errno(err, errno, "cannot open '%s/%s'", dir, name);
    taken = flock(fd, LOCK_EX | LOCK_NB);
    for (int i = 0; taken < 0 && i < PROBES; i++) { /* a command may be asking who holds it */
        km_wait_ms(PROBE_MS);
        taken = flock(fd, LOCK_EX | LOCK_NB);
    }
    if (taken == 0) {
        r = sign(dir, name, fd, config, err);
        if (r == 0)
            *ret_fd = fd;
        else
            close(fd);
        return r;
    }
    read_holder(fd, &by);
    read_config_beside(dir, name, &by);
    close(fd);
    return in_use(dir, config, &by, err);
}

int km_state_user(const struct km_config *config, uid_t *ret_uid, gid_t *ret_gid,
                  struct km_err *err)
{
    struct passwd pw;
    char text[1024];
    bool drop;
    int r = user_of(config, &drop, &pw, text, err);

    if (r < 0)
        return r;
    *ret_uid = drop ? pw.pw_uid : geteuid();
    *ret_gid = drop ? pw.pw_gid : getegid();
    return 0;
}

int km_state_open_log(const char *path, uid_t uid, gid_t gid, int *ret_fd, struct km_err *err)
{
    const uid_t own_uid = geteuid();
    const gid_t own_gid = getegid();
    int fd = -1, r = 0;

    if (own_uid != uid && (setegid(gid) < 0 || seteuid(uid) < 0))
        r = km_fail_errno(err, errno, "cannot open '%s' as another user", path);
    if (r == 0)
        fd = km_log_open(path);
    if (r == 0 && fd < 0)
        r = km_fail_errno(err, errno, "cannot open the log file '%s'", path);
    if (seteuid(own_uid) < 0 || setegid(own_gid) < 0)
        abort(); /* half a user is none */
    *ret_fd = fd;
    return r;
}

int km_state_drop_root(const struct km_config *config, struct km_err *err)
{
    struct passwd pw;
    char text[1024];
    bool drop;
    int r = user_of(config, &drop, &pw, text, err);

    if (r < 0 || !drop || pw.pw_uid == 0)
        return r;
    if (initgroups(pw.pw_name, pw.pw_gid) < 0 || setgid(pw.pw_gid) < 0 || setuid(pw.pw_uid) < 0)
        return km_fail_errno(err, errno, "cannot become user %s", pw.pw_name);
    if (setuid(0) == 0)
        return km_fail(err, KM_E_SYSTEM, "root came back after it was dropped");
    return 0;
}
