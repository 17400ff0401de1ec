/* SPDX-License-Identifier: Apache-2.0 */
/* mock.h - what the two halves of the mock upstream share: mock.c, the sockets, and
 * mock_answer.c, what is said on them.
 *
 * Thread: one.  Lifetime: a connection that conn_close() was called on stays readable
 * until the end of the batch of events, marked dead.
 */
#ifndef BENCH_MOCK_H
#define BENCH_MOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "script.h"
#include "speak.h"
#include "wheel.h"
#include "wire.h"

enum { MOCK_READ_MAX = 65536, MOCK_DEPARTURES = 4096 };

struct conn {
    struct wheel_item timer; /* first: the wheel hands back its address */
    int fd;
    bool busy;       /* an answer is under way */
    bool head_sent;  /* of a stream */
    bool want_write; /* EPOLLOUT is on */
    bool dead;       /* closed; freed at the end of the batch */
    uint64_t id;
    long events_sent;
    int silent; /* events sent since the last acknowledgement */
    struct script script;
    enum speak speak; /* whose words */
    char *body; /* of the request */
    size_t body_len, body_cap;
    char *out; /* what the socket did not take */
    size_t out_len, out_cap;
    struct conn *next_dead;
    struct wire wire;
};

struct departure {
    uint32_t tag;
    uint64_t at_ns;
};

struct mock {
    int epoll, listener, ack;
    struct wheel wheel;
    struct script_texts texts;
    struct conn *by_tag[SCRIPT_TAG_MAX];
    struct conn *dead;
    uint64_t requests, streams, finished, aborted, events, accepted, connections, open_streams;
    uint64_t bad_requests, next_id;
    struct departure departures[MOCK_DEPARTURES];
    size_t departed;
    char read_buf[MOCK_READ_MAX];
};

/* The one instance: a tool of one thread whose timer callbacks carry no context. */
extern struct mock mock;

/* Sends, keeping what the socket does not take.  -1: the connection is broken. */
int conn_send(struct conn *c, const char *bytes, size_t len);

/* A request is complete in c->wire and c->body.  -1: close the connection. */
int mock_on_request(struct conn *c);

/* An answer's next step is due.  -1: close the connection. */
int mock_answer(struct conn *c);

/* The client has seen the last event.  -1: close the connection. */
int mock_on_ack(struct conn *c);

#endif
