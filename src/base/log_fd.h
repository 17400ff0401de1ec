/* SPDX-License-Identifier: Apache-2.0 */
/* log_fd.h - the descriptor a log's lines go to: an outlet of log_writer.h.
 *
 * Any thread may change it; the writer's thread alone uses it.
 */
#ifndef KM_BASE_LOG_FD_H
#define KM_BASE_LOG_FD_H

#include "base/log_writer.h"

struct km_log_fd;

/* Opens a log's file to append to, and never waits; below 0: errno.  A pipe that nobody reads yet
 * is opened all the same: its reader may come and go. */
int km_log_open(const char *path);

/* fd stays the caller's.  NULL when out of memory. */
struct km_log_fd *km_log_fd_new(struct km_log_writer *w, int fd);
/* Its owner lets go; it lives on for the lines that wait. */
void km_log_fd_release(struct km_log_fd *f);
struct km_log_outlet *km_log_fd_outlet(struct km_log_fd *f);

/* The form in which it reports what was lost. */
void km_log_fd_set_json(struct km_log_fd *f, bool json);
/* fd is the outlet's from now on; the one before may be used for a moment yet. */
void km_log_fd_change(struct km_log_fd *f, int fd);

#endif
