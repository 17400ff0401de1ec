/* SPDX-License-Identifier: Apache-2.0 */
/* The dialer with the resolver it has in the gateway; test_dial.c decides what names mean. */
#include "fixture.h"

#include "net/dial.h"

struct result {
    int calls;
    struct km_stream *stream;
    struct km_err err;
};

static void on_dialled(void *ctx, struct km_stream *stream, const struct km_err *err)
{
    struct result *r = ctx;

    r->calls++;
    r->stream = stream;
    if (err)
        r->err = *err;
}

static bool has_result(void *ctx)
{
    return ((struct result *)ctx)->calls > 0;
}

static struct result dial(struct fixture *f, const char *host, uint16_t port, bool guarded)
{
    struct km_dns *dns = km_dns_new(f->loop, NULL);
    struct km_dialer *d = km_dialer_new(f->loop, dns, NULL);
    struct result r = { 0 };
    struct km_origin *o;

    assert_non_null(dns);
    assert_int_equal(km_origin_new(false, km_str_c(host), port, NULL, NULL, guarded, &o, NULL), 0);
    assert_non_null(km_dial(d, o, 5000, on_dialled, &r));
    run_until(f, has_result, &r);
    km_origin_unref(o);
    km_dialer_free(d);
    km_dns_free(dns);
    return r;
}

/* localhost may be ::1 first, where nothing listens: then this is a fall-back too. */
static void a_name_of_the_hosts_file_is_dialled(void **state)
{
    struct fixture *f = *state;
    int listener = listen_loopback(), peer;
    struct result r = dial(f, "localhost", port_of(listener), false);

    assert_non_null(r.stream);
    stream_write_text(r.stream, "hello");
    peer = accept(listener, NULL, NULL);
    peer_expect(peer, "hello");
    km_stream_free(r.stream);
    close(peer);
    close(listener);
}

static void a_guarded_dial_to_localhost_is_refused(void **state)
{
    struct result r = dial(*state, "localhost", 80, true);

    assert_null(r.stream);
    assert_int_equal(r.err.code, KM_E_FORBIDDEN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        NET_TEST(a_name_of_the_hosts_file_is_dialled),
        NET_TEST(a_guarded_dial_to_localhost_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
