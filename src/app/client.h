/* SPDX-License-Identifier: Apache-2.0 */
/* client.h - how commands talk to a running gateway: the admin API's own routes, over the
 * control socket of the configuration's state folder, or over HTTP with --url and a key.
 */
#ifndef KM_APP_CLIENT_H
#define KM_APP_CLIENT_H

#include "app/cli.h"
#include "http/json.h"

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

/* Options every command of this kind has: --url, --key-stdin. */
#define KM_CLIENT_OPTIONS                                                                          \
    { "url", "URL", "a gateway elsewhere, instead of the control socket", 0 },                     \
    {                                                                                              \
        "key-stdin", NULL, "read the key for --url from standard input (or set KANMON_KEY)", 0     \
    }

#endif
