/* SPDX-License-Identifier: Apache-2.0 */
/* proxy.h - reading HTTP_PROXY, HTTPS_PROXY and NO_PROXY. */
#ifndef KM_NET_PROXY_H
#define KM_NET_PROXY_H

#include "base/buf.h"
#include "net/dial.h"

/* true: host:port is to be reached directly.  `none` is NO_PROXY's list, by commas or blanks:
 *   *                    everything
 *   example.com          that host and what is below it; ".example.com" and "*.example.com" too
 *   10.1.2.3, ::1        that address
 *   10.0.0.0/8, fd00::/8 addresses in that network (names are not resolved for this)
 *   any of them:port     only that port ("[::1]:80")
 * localhost and loopback addresses are always direct. */
bool km_proxy_bypass(struct km_str none, struct km_str host, uint16_t port);

struct km_proxy {
    struct km_str host; /* in the text given */
    uint16_t port;
    struct km_buf auth; /* "Basic ..." or empty; a secret */
};

/* "http://user:pass@host:port", "host:port", "host".  Other schemes are KM_E_UNSUPPORTED.  The
 * caller ends p->auth with km_buf_done(), also after a failure. */
int km_proxy_parse(struct km_str url, struct km_proxy *p, struct km_err *err) KM_MUST_USE;

#endif
