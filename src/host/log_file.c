/* SPDX-License-Identifier: Apache-2.0 */
/* log_file.c - where the gateway's log goes: see gateway.h.
 *
 *     log_file is set          there
 *     under a supervisor       <state_dir>/kanmon.log, where `kanmon start` sent what came before
 *     else                     standard error
 *
 * Under a supervisor standard output and standard error are that file as well, so that what a
 * library or a sanitizer says is in the one log there is, and nothing keeps a file open that was
 * renamed.  The supervisor is told the path each time it was opened, and does the same.
 */
#include "host/gateway.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/log_fd.h"
#include "mcp/upstream/upstream.h"

bool km_gateway_log_path(const struct km_gateway_settings *s, const char *config_file, char *ret,
                         size_t cap)
{
    const char *slash = strrchr(config_file, '/');

    if (!s->log_file.n)
        return false;
    if (s->log_file.p[0] == '/' || !slash)
        snprintf(ret, cap, "%.*s", KM_STR_ARG(s->log_file));
    else
        snprintf(ret, cap, "%.*s/%.*s", (int)(slash - config_file), config_file,
                 KM_STR_ARG(s->log_file));
    return true;
}

static bool find_log(const struct km_gateway *gw, const struct km_gateway_settings *s, char *ret,
                     size_t cap)
{
    if (km_gateway_log_path(s, gw->config_file, ret, cap))
        return true;
    ret[0] = '\0';
    if (gw->args->supervisor)
        snprintf(ret, cap, "%s/" KM_GATEWAY_LOG, gw->state_dir);
    return ret[0] != '\0';
}

/* Not blocking: it may be a pipe that nobody reads yet. */
int km_gateway_open_log(struct km_gateway *gw, const struct km_gateway_settings *s,
                        struct km_err *err)
{
    char path[sizeof gw->log_path];
    const bool named = find_log(gw, s, path, sizeof path);
    int fd = -1;

    if (named)
        fd = km_log_open(path);
    if (named && fd < 0 && s->log_file.n)
        return km_fail_errno(err, errno, "cannot open the log file '%s'", path);
    if (fd < 0 && gw->log_path[0]) /* it is not set any more */
        fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
    else if (fd >= 0 && gw->args->supervisor) {
        dup2(fd, STDOUT_FILENO);
        dup2(fd, STDERR_FILENO);
    }
    snprintf(gw->log_path, sizeof gw->log_path, "%s", named ? path : "");
    if (fd >= 0)
        km_log_set_fd(gw->log, fd);
    return 0;
}

void km_gateway_reopen_logs(struct km_gateway *gw)
{
    struct km_err err = { 0 };

    if (km_gateway_open_log(gw, gw->current->gateway, &err) < 0)
        km_log_msg(gw->log, KM_LOG_ERROR, "log.reopen", "%s", err.text);
    else if (gw->args->on_log && gw->log_path[0])
        gw->args->on_log(gw->args->ctx, gw->log_path);
    km_mcp_upstreams_reopen_logs(gw->mcp);
}
