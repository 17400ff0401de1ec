/* SPDX-License-Identifier: Apache-2.0 */
/* state.c - see state.h.
 *
 * A port below 1024 may need root, nothing after it does.  Root is dropped as soon as the
 * sockets are bound and before any file of the state folder is opened, so that everything in
 * it belongs to the user the gateway runs as.  A folder that was there already keeps its owner:
 * whoever made it decided.
 */
#include "app/state.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/config.h"
#include "gateway/settings.h"

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

int km_state_make(const struct km_config *config, const char *dir, struct km_err *err)
{
    if (mkdir(dir, 0700) == 0)
        return km_state_give(config, dir, err);
    return errno == EEXIST ? 0
                           : km_fail_errno(err, errno, "cannot make the state folder '%s'", dir);
}

int km_state_lock(const char *dir, const char *name, int *ret_fd, struct km_err *err)
{
    char path[600];
    int fd;

    snprintf(path, sizeof path, "%s/%s", dir, name);
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return km_fail_errno(err, errno, "cannot open '%s'", path);
    if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
        *ret_fd = fd;
        return 0;
    }
    close(fd);
    return km_fail(err, KM_E_EXISTS,
                   "another gateway uses the state folder '%s'; stop it (`kanmon stop`), or set "
                   "kanmon_settings.state_dir",
                   dir);
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
        fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0600);
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
