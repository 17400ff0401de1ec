/* SPDX-License-Identifier: Apache-2.0 */
/* client.h - how commands talk to a running gateway: the admin API's own routes, over the
 * control socket of the configuration's state folder, or over HTTP with --url and a key.
 */
#ifndef KM_APP_CLIENT_H
#define KM_APP_CLIENT_H

#include "app/cli.h"
#include "http/json.h"

struct km_origin;
struct km_tls_client;

struct km_answer {
    struct km_arena arena; /* of the parsed answer */
    struct km_buf body;
    int status;
    const struct km_json *json; /* NULL: none, or not JSON */
};

void km_answer_init(struct km_answer *a);
void km_answer_done(struct km_answer *a);

/* One request.  KM_E_NOT_RUNNING when nobody listens (the text says how to start one); an error
 * answer is KM_E_FORBIDDEN, KM_E_UNAUTHENTICATED, KM_E_NOT_FOUND or KM_E_INVALID with the
 * gateway's message.  body empty: none. */
int km_cli_call(struct km_cli *cli, const char *method, const char *target, struct km_str body,
                struct km_answer *ret, struct km_err *err) KM_MUST_USE;

/* The same with further header lines ("Name: value\r\n"), and without judging the answer: any
 * status is 0, ret->json is set where the body is JSON. */
int km_cli_send(struct km_cli *cli, const char *method, const char *target, struct km_str head,
                struct km_str body, struct km_answer *ret, struct km_err *err) KM_MUST_USE;

/* The same for answers that take their time or are streams: ret->body is all of it. */
int km_cli_ask(struct km_cli *cli, const char *method, const char *target, struct km_str lines,
               struct km_str body, uint64_t wait_ms, struct km_answer *ret,
               struct km_err *err) KM_MUST_USE;

/* A member of an answer as text: a string, or a number as it stands there; empty: neither. */
struct km_str km_answer_text(const struct km_json *v, const char *name);
/* km_cli_call() for a command that is one request: an error is said, with --json the answer is
 * printed as it came, else shown.  The exit code. */
typedef int km_cli_show_fn(const struct km_cli *cli, struct km_answer *a);
int km_cli_show(struct km_cli *cli, const char *method, const char *target, struct km_str body,
                km_cli_show_fn *show);

/* How the gateway is reached, for who speaks HTTP to it himself: the control socket, or --url
 * with the header lines that say who we are (a secret).  Done with by km_cli_way_done(). */
struct km_cli_way {
    struct km_origin *origin;
    struct km_tls_client *tls; /* NULL: the socket */
    struct km_buf head;
};
int km_cli_way(struct km_cli *cli, struct km_cli_way *way, struct km_err *err) KM_MUST_USE;
void km_cli_way_done(struct km_cli_way *way);

/* Options every command of this kind has: --url, --key-stdin. */
#define KM_URL_OPTION                                                                              \
    {                                                                                              \
        "url", "URL", "a gateway elsewhere, instead of the control socket", 0                      \
    }
#define KM_CLIENT_OPTIONS                                                                          \
    KM_URL_OPTION,                                                                                 \
    {                                                                                              \
        "key-stdin", NULL, "read the key for --url from standard input (or set KANMON_KEY)", 0     \
    }

#endif
