/* SPDX-License-Identifier: Apache-2.0 */
/* Documents are made on another thread than the loop's: the lock that is held while one is made
 * says when. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "mcp/openapi/source_part.h"
#include "sys/work.h"

#define LOOPS 3
#define FRESH_MS 60000

struct place {
    char file[64];
    struct km_openapi_source *source;
};

struct receiver {
    struct km_openapi_source *source;
    struct km_loop *loop;
    struct km_openapi_load *load;
    struct km_timer timer;
    struct km_openapi *doc;
    struct km_err err;
    pthread_t thread;
    uint64_t fresh_ms;
    unsigned answers, ticks;
    bool read;
};

static void write_file(const struct place *at, const char *text)
{
    FILE *f = fopen(at->file, "w");

    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static int set_up(void **state)
{
    struct place *at = calloc(1, sizeof *at);
    struct km_err err;
    int fd;

    assert_non_null(at);
    snprintf(at->file, sizeof at->file, "/tmp/kanmon-openapi-XXXXXX");
    fd = mkstemp(at->file);
    assert_true(fd >= 0);
    close(fd);
    write_file(at, "{\"openapi\":\"3.0.1\",\"paths\":{\"/a\":{\"get\":{}}}}");
    at->source = km_openapi_source_new(
        &(struct km_openapi_source_args){
            .spec = km_str_c(at->file),
            .url = KM_STR("http://127.0.0.1:1"),
        },
        &err);
    assert_non_null(at->source);
    *state = at;
    return 0;
}

static int tear_down(void **state)
{
    struct place *at = *state;

    km_openapi_source_unref(at->source);
    unlink(at->file);
    free(at);
    return 0;
}

static void on_loaded(void *ctx, struct km_openapi *doc, bool read, const struct km_err *err)
{
    struct receiver *r = ctx;

    r->load = NULL;
    r->doc = doc;
    r->read = read;
    r->answers++;
    if (err)
        r->err = *err;
    km_loop_stop(r->loop);
}

static void begin(struct receiver *r, struct km_openapi_source *source)
{
    r->source = source;
    r->loop = km_loop_new(NULL);
    r->load = km_openapi_load(
        source, &(struct km_openapi_load_args){ .loop = r->loop, .fresh_ms = r->fresh_ms },
        on_loaded, r);
    assert_non_null(r->load);
    assert_int_equal(r->answers, 0);
}

static void end(struct receiver *r)
{
    km_openapi_unref(r->doc);
    km_loop_free(r->loop);
}

static void on_tick(void *ctx)
{
    struct receiver *r = ctx;

    if (++r->ticks < 3)
        km_timer_start(&r->timer, 1);
    else
        pthread_mutex_unlock(&r->source->making);
}

static void the_loop_goes_on_while_a_document_is_made(void **state)
{
    struct place *at = *state;
    struct receiver r = { .fresh_ms = 0 };

    pthread_mutex_lock(&at->source->making);
    begin(&r, at->source);
    km_timer_init(&r.timer, r.loop, on_tick, &r);
    km_timer_start(&r.timer, 1);
    km_loop_run(r.loop);
    assert_int_equal(r.ticks, 3);
    assert_int_equal(r.answers, 1);
    assert_true(r.read);
    assert_int_equal(r.doc->n, 1);
    end(&r);
}

static void on_marker(void *ctx)
{
    sem_post(ctx);
}

static void on_marker_done(void *ctx, bool ran)
{
    assert_true(ran);
    sem_destroy(ctx);
}

/* Work begins in its order, so what was started before runs. */
static void wait_for_work(struct km_loop *loop, sem_t *begun)
{
    sem_init(begun, 0, 0);
    assert_non_null(km_work_start(loop, on_marker, on_marker_done, begun));
    while (sem_wait(begun) != 0)
        ;
}

static void a_load_may_be_cancelled_and_its_source_go_while_a_document_is_made(void **state)
{
    struct place *at = *state;
    struct receiver r = { .fresh_ms = 0 };
    struct km_openapi_source *source = at->source;
    sem_t begun;

    pthread_mutex_lock(&source->making);
    begin(&r, source);
    wait_for_work(r.loop, &begun);
    km_openapi_load_cancel(r.load);
    at->source = NULL;
    pthread_mutex_unlock(&source->making);
    km_openapi_source_unref(source);
    end(&r);
    assert_int_equal(r.answers, 0);
}

static void *load_alone(void *arg)
{
    struct receiver *r = arg;

    begin(r, r->source);
    km_loop_run(r->loop);
    return NULL;
}

static void loops_that_ask_at_once_share_one_document(void **state)
{
    struct place *at = *state;
    struct receiver r[LOOPS] = { { .fresh_ms = 0 } };
    unsigned read = 0;

    pthread_mutex_lock(&at->source->making);
    for (size_t i = 0; i < LOOPS; i++) {
        r[i].source = at->source;
        assert_int_equal(pthread_create(&r[i].thread, NULL, load_alone, &r[i]), 0);
    }
    pthread_mutex_unlock(&at->source->making);
    for (size_t i = 0; i < LOOPS; i++) {
        pthread_join(r[i].thread, NULL);
        assert_non_null(r[i].doc);
        assert_ptr_equal(r[i].doc, r[0].doc);
        read += r[i].read;
    }
    assert_int_equal(read, 1);
    for (size_t i = 0; i < LOOPS; i++)
        end(&r[i]);
}

static void what_is_fresh_is_not_read_again_and_what_breaks_later_stays(void **state)
{
    struct place *at = *state;
    struct receiver first = { .fresh_ms = 0 }, fresh = { .fresh_ms = FRESH_MS }, late = { 0 };

    begin(&first, at->source);
    km_loop_run(first.loop);
    write_file(at, "{}");
    begin(&fresh, at->source);
    km_loop_run(fresh.loop);
    assert_int_equal(fresh.err.code, 0);
    begin(&late, at->source);
    km_loop_run(late.loop);
    assert_int_equal(late.err.code, KM_E_INVALID);
    assert_non_null(strstr(late.err.text, at->file));
    assert_ptr_equal(fresh.doc, first.doc);
    assert_ptr_equal(late.doc, first.doc);
    assert_false(fresh.read || late.read);
    end(&first);
    end(&fresh);
    end(&late);
}

static void a_document_is_followed_where_it_may_be(void **state)
{
    static const struct {
        const char *from, *location, *to; /* NULL: not followed */
        bool strange;
    } cases[] = {
        { "http://h/a/o.json?k=1", "p.json", "http://h/a/p.json", false },
        { "http://h/a/o.json?k=1", "/b?u=x://y", "http://h/b?u=x://y", false },
        { "http://h/a/o.json?k=/1", "?v=2#x", "http://h/a/o.json?v=2", false },
        { "http://h/a/b/o.json", "../p/./q/", "http://h/a/p/q/", false },
        { "http://h/o.json", "../../..", "http://h/", false },
        { "http://h/a", "/b/../c.json", "http://h/c.json", false },
        { "http://h", "o.json", "http://h/o.json", false },
        { "http://h:81/?k", "/o.json", "http://h:81/o.json", false },
        { "http://h/o", "http://H/p", "http://H/p", false },
        { "http://h/o", "https://h/o", "https://h/o", false },
        { "https://h/o", "//h/p", "https://h/p", false },
        { "https://h/o", "//i/p", "https://i/p", true },
        { "http://h/o", "http://h:81/o", "http://h:81/o", true },
        { "http://h:81/o", "https://h/o", "https://h/o", true },
        { "http://h/o", "http://h.i/o", "http://h.i/o", true },
        { "https://h/o", "http://h/o", NULL, false },
        { "https://h/o", "http://i/o", NULL, false },
        { "http://h/o", "http://u:p@h/o", NULL, false },
        { "http://h/o", "file:///etc/passwd", NULL, false },
        { "http://h/o", "ftp://h/o", NULL, false },
        { "http://h/o", "", NULL, false },
        { "http://h/o", "http://", NULL, false },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct km_buf to = KM_BUF(KM_OPENAPI_URL_BYTES);
        struct km_err err = { 0 };
        bool strange = !cases[i].strange;
        int r = km_openapi_redirect(km_str_c(cases[i].from), km_str_c(cases[i].location), &to,
                                    &strange, &err);

        assert_int_equal(r == 0, cases[i].to != NULL);
        if (r == 0) {
            assert_string_equal(km_buf_cstr(&to), cases[i].to);
            assert_int_equal(strange, cases[i].strange);
        }
        km_buf_done(&to);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_loop_goes_on_while_a_document_is_made, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(
            a_load_may_be_cancelled_and_its_source_go_while_a_document_is_made, set_up, tear_down),
        cmocka_unit_test_setup_teardown(loops_that_ask_at_once_share_one_document, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_is_fresh_is_not_read_again_and_what_breaks_later_stays,
                                        set_up, tear_down),
        cmocka_unit_test(a_document_is_followed_where_it_may_be),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
