/* SPDX-License-Identifier: Apache-2.0 */
/* fake_visit.h - a visit without a server: its exchange is the test's, its gateway has no thread.
 *
 * Link with --wrap for km_exchange_request, km_exchange_arena and km_exchange_peer.
 */
#ifndef KM_TESTS_FAKE_VISIT_H
#define KM_TESTS_FAKE_VISIT_H

#include "host/visit.h"

#define FAKE_FIELDS 8

struct fake_visit {
    struct km_visit v; /* filled: ask it, change what the test is about */
    struct km_arena arena;
    struct km_request request;
    struct km_header fields[FAKE_FIELDS];
    union km_addr peer; /* loopback */
    struct km_gateway gw;
    struct km_gateway_args args;
    struct km_worker w;
    struct km_view view;
    struct km_snapshot snap;
    struct km_gateway_settings settings;
    struct km_general_settings general;
};

/* path: "/v1/models"; query is cut off at '?'. */
void fake_visit_init(struct fake_visit *f, const char *path);
void fake_visit_done(struct fake_visit *f);
void fake_visit_add(struct fake_visit *f, const char *name, const char *value); /* a field */

#endif
