/* SPDX-License-Identifier: Apache-2.0 */
/* fake_http.h - upstreams that the test plays: what is sent is written down, and what they answer
 * is said by hand.  Linked with --wrap for the km_http_... that attempts and flights use. */
#ifndef TESTS_CALL_FAKE_HTTP_H
#define TESTS_CALL_FAKE_HTTP_H

#include "http/client.h"

#define HTTP_CALLS 16

struct fake_http {
    const struct km_http_events *events;
    void *ctx;
    struct km_http_request request;
    bool live; /* neither done nor cancelled */
    bool cancelled;
    bool headed;
    int status; /* of that head */
    bool paused;
};

extern struct fake_http http[HTTP_CALLS]; /* in the order they were sent */
extern unsigned nhttp;
extern bool http_taken; /* the upstream has what was sent */

void http_forget(void);
unsigned http_live(void); /* how many are under way */
void http_head(unsigned i, int status);
void http_body(unsigned i, const char *text);
void http_end(unsigned i); /* as it should */
void http_break(unsigned i, int code);

#endif
