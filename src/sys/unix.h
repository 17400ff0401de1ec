/* SPDX-License-Identifier: Apache-2.0 */
/* unix.h - Unix stream sockets by path: the control socket and the hand-over. */
#ifndef KM_SYS_UNIX_H
#define KM_SYS_UNIX_H

#include "base/buf.h"
#include "base/err.h"

/* Binds (replacing a socket nobody listens on), mode 0600, and listens.  KM_E_EXISTS when
 * somebody answers there or the path is no socket; KM_E_FORBIDDEN when this user may not.  The
 * path may be longer than a socket's address; KM_E_LIMIT past PATH_MAX or without /proc.  The
 * descriptor is the caller's, non-blocking. */
int km_unix_listen(const char *path, int *ret_fd, struct km_err *err) KM_MUST_USE;

/* Connects, blocking.  KM_E_NOT_RUNNING when nobody listens there, KM_E_FORBIDDEN when this user
 * may not. */
int km_unix_connect(const char *path, int *ret_fd, struct km_err *err) KM_MUST_USE;

/* Blocking, for as long as the socket's SO_SNDTIMEO and SO_RCVTIMEO say: KM_E_UPSTREAM_TIMEOUT.
 * KM_E_UPSTREAM_CONNECT: the other end is gone and has not read what it was sent.
 * Reading goes on to the other's end, or to the end of a line, which is taken too, and appends to
 * out, whose limit is the most that is read (KM_E_LIMIT). */
int km_unix_send(int fd, struct km_str s, struct km_err *err) KM_MUST_USE;
int km_unix_read(int fd, bool line, struct km_buf *out, struct km_err *err) KM_MUST_USE;

#endif
