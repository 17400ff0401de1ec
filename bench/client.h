/* SPDX-License-Identifier: Apache-2.0 */
/* client.h - what every mode of the load generator shares: options, connections,
 * requests, the tally of answers.
 *
 * Thread: one.
 */
#ifndef BENCH_CLIENT_H
#define BENCH_CLIENT_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hist.h"
#include "watch.h"
#include "wire.h"

enum { REQUEST_MAX = 8192, EXTRA_HEADERS_MAX = 2048, BATCH_MAX = 256 };

struct options {
    const char *mode;
    struct sockaddr_in target;
    struct sockaddr_in mock; /* for acknowledgements and departures */
    const char *path;
    const char *bearer;
    const char *model;
    const char *pids;
    const char *script; /* goes into the prompt as [[mock ...]]; NULL: none */
    const char *body; /* instead of a chat; CLIENT_NUMBER in it is another number each time */
    char headers[EXTRA_HEADERS_MAX];
    int core;
    int connections; /* or streams */
    int body_bytes;
    int min_answer;
    int sources; /* source addresses 127.0.0.1 ... 127.0.0.n */
    double warmup_s, seconds;
    double rate;       /* open loop: requests a second */
    uint64_t requests; /* closed loop: stop after so many instead of after `seconds` */
    bool stream;       /* closed, open: ask for streams, and read each to its end */
    bool unary;        /* depart: leave while an unstreamed answer is awaited */
};

/* One answer after the other, and what was wrong with them. */
struct tally {
    uint64_t sent;      /* requests written, warm-up and drain included */
    uint64_t answered;  /* complete answers, right or wrong */
    uint64_t completed; /* right ones inside the window */
    uint64_t wrong;     /* complete, but not status 200 or too short */
    uint64_t broken;    /* connection lost or refused before the answer was complete */
    uint64_t body_min, body_max;
    int wrong_status;     /* of the first wrong answer */
    char wrong_body[256]; /* its first bytes */
};

/* A connected non-blocking socket from the source address that `i` falls to; -1. */
int client_connect(const struct options *o, int i);

/* Stands in options.body for a number of as many digits. */
#define CLIENT_NUMBER "#NUMBER#"

/* Puts the request's number where CLIENT_NUMBER stood; at: its place, NULL: nowhere. */
void client_number(char *at, uint64_t number);

/* Writes a whole request into out (REQUEST_MAX bytes) and returns its length, which is
 * never cut.  script may be NULL. */
size_t client_request(const struct options *o, char *out, const char *script, bool stream);

/* Notes a complete answer.  body is its beginning.  True when it is a right one. */
bool client_check(struct tally *t, const struct options *o, const struct wire *w, const char *body);

void client_print_tally(const struct tally *t, FILE *out);

/* One small GET or POST to the mock; the body, to be freed, or NULL. */
char *client_ask_mock(const struct options *o, const char *method, const char *path);

/* The modes.  Each prints one JSON object and returns the exit status. */
int load_rate(const struct options *o);    /* closed, open */
int load_streams(const struct options *o); /* hold, events */
int load_depart(const struct options *o);  /* depart */

#endif
