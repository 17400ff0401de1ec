/* SPDX-License-Identifier: Apache-2.0 */
/* frame.h - typed messages over a Unix stream socket, with descriptors: how a gateway talks to
 * the one that replaces it.
 *
 * Blocking; for a thread of its own.  Native byte order: it never leaves the machine.  One
 * sender and one receiver a direction; several senders serialize themselves.
 */
#ifndef KM_SYS_FRAME_H
#define KM_SYS_FRAME_H

#include "base/buf.h"
#include "base/err.h"

#define KM_FRAME_FDS 4 /* descriptors of one frame */
#define KM_FRAME_BYTES ((size_t)64 * 1024 * 1024) /* of a body */

struct km_frame {
    uint32_t type;
    struct km_str body; /* in the receiver's buffer, until the next frame */
    int fds[KM_FRAME_FDS]; /* the receiver's from now on; close-on-exec */
    size_t nfds;
};

/* The descriptors stay open here; the receiver has copies. */
int km_frame_send(int sock, uint32_t type, struct km_str body, const int *fds, size_t nfds,
                  struct km_err *err) KM_MUST_USE;
/* KM_E_CLOSED at the end of the stream, KM_E_INVALID for what is no frame, KM_E_SYSTEM when a
 * receive time-out set on the socket has passed.  On failure no descriptor is left open. */
int km_frame_recv(int sock, struct km_buf *buf, struct km_frame *ret_frame,
                  struct km_err *err) KM_MUST_USE;

#endif
