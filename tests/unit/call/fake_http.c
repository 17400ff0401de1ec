/* SPDX-License-Identifier: Apache-2.0 */
/* fake_http.c - see fake_http.h. */
#include "fake_http.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

struct fake_http http[HTTP_CALLS];
unsigned nhttp;
bool http_taken;

struct km_http_call *__wrap_km_http_send(struct km_http_client *c,
                                         const struct km_http_request *request,
                                         const struct km_http_events *events, void *ctx);
void __wrap_km_http_pause(struct km_http_call *call);
void __wrap_km_http_resume(struct km_http_call *call);
bool __wrap_km_http_taken(const struct km_http_call *call);
void __wrap_km_http_cancel(struct km_http_call *call);

static struct fake_http *of(const struct km_http_call *call)
{
    struct fake_http *h = (struct fake_http *)(uintptr_t)call;

    assert_true(h >= http && h < http + nhttp && h->live);
    return h;
}

struct km_http_call *__wrap_km_http_send(struct km_http_client *c,
                                         const struct km_http_request *request,
                                         const struct km_http_events *events, void *ctx)
{
    struct fake_http *h = &http[nhttp];
    void *memory = malloc(1); /* as the real one, it may find none */

    (void)c;
    if (!memory)
        return NULL;
    free(memory);
    assert_true(nhttp < HTTP_CALLS);
    nhttp++;
    *h = (struct fake_http){ .events = events, .ctx = ctx, .request = *request, .live = true };
    return (struct km_http_call *)h;
}

void __wrap_km_http_pause(struct km_http_call *call)
{
    of(call)->paused = true;
}

void __wrap_km_http_resume(struct km_http_call *call)
{
    of(call)->paused = false;
}

bool __wrap_km_http_taken(const struct km_http_call *call)
{
    (void)of(call);
    return http_taken;
}

void __wrap_km_http_cancel(struct km_http_call *call)
{
    struct fake_http *h = of(call);

    h->live = false;
    h->cancelled = true;
}

void http_forget(void)
{
    memset(http, 0, sizeof http);
    nhttp = 0;
    http_taken = true;
}

unsigned http_live(void)
{
    unsigned n = 0;

    for (unsigned i = 0; i < nhttp; i++)
        n += http[i].live;
    return n;
}

void http_head(unsigned i, int status)
{
    const struct km_response response = { .status = status, .content_length = UINT64_MAX };

    http[i].headed = true;
    http[i].status = status;
    http[i].events->on_head(http[i].ctx, &response);
}

void http_body(unsigned i, const char *text)
{
    http[i].events->on_body(http[i].ctx, text, strlen(text));
}

static void end_with(unsigned i, const struct km_err *why)
{
    const struct km_http_result result = { .err = why,
                                           .bytes_sent = http_taken,
                                           .request_sent = http_taken };

    http[i].live = false;
    http[i].events->on_done(http[i].ctx, &result);
}

void http_end(unsigned i)
{
    end_with(i, NULL);
}

void http_break(unsigned i, int code)
{
    struct km_err why = { 0 };

    km_fail(&why, code, "It broke.");
    end_with(i, &why);
}
