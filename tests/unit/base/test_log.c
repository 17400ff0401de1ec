/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"

/* What is in the file so far, without the time at the start of the line. */
struct output {
    FILE *file;
    char text[400000];
};

static struct output out;

static int fd_of_output(void)
{
    out.file = tmpfile();
    assert_non_null(out.file);
    return fileno(out.file);
}

static const char *read_output(void)
{
    ssize_t n = pread(fileno(out.file), out.text, sizeof out.text - 1, 0);

    assert_true(n >= 0);
    out.text[n] = '\0';
    return out.text;
}

static void close_output(void)
{
    fclose(out.file);
}

static size_t lines_in(const char *text)
{
    size_t lines = 0;

    for (; *text; text++)
        lines += *text == '\n';
    return lines;
}

static void a_line_has_its_fields_in_both_formats(void **state)
{
    struct km_log *log = km_log_new(fd_of_output(), KM_LOG_INFO, KM_LOG_JSON);

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct km_line l;

        assert_true(km_log_begin(log, &l, KM_LOG_INFO, "call"));
        km_line_cstr(&l, "model", "gpt-4o");
        km_line_u64(&l, "tokens", 12);
        km_line_i64(&l, "delta", -3);
        km_line_decimal(&l, "cost", 1500, 6);
        km_line_cstr(&l, "note", "two words");
        km_line_cstr(&l, "none", NULL);
        km_log_end(&l);
        km_log_set_format(log, KM_LOG_TEXT);
    }
    read_output();
    assert_memory_equal(out.text, "{\"time\":\"2", 10);
    assert_non_null(strstr(out.text,
                           "Z\",\"level\":\"info\",\"event\":\"call\",\"model\":\"gpt-4o\","
                           "\"tokens\":12,\"delta\":-3,\"cost\":0.0015,"
                           "\"note\":\"two words\",\"none\":\"\"}\n"));
    assert_non_null(strstr(out.text, "Z INFO  call model=gpt-4o tokens=12 delta=-3 cost=0.0015 "
                                     "note=\"two words\" none=\"\"\n"));
    km_log_free(log);
    close_output();
}

static void a_level_that_is_off_costs_nothing(void **state)
{
    struct km_log *log = km_log_new(fd_of_output(), KM_LOG_WARN, KM_LOG_JSON);
    struct km_line l;

    (void)state;
    assert_false(km_log_begin(log, &l, KM_LOG_INFO, "x"));
    km_log_set_level(log, KM_LOG_DEBUG);
    assert_true(km_log_begin(log, &l, KM_LOG_DEBUG, "x"));
    km_log_end(&l);
    assert_false(km_log_begin(NULL, &l, KM_LOG_ERROR, "x"));
    km_log_msg(NULL, KM_LOG_ERROR, "x", "nowhere");
    km_log_free(log);
    close_output();
}

static void a_thread_with_a_buffer_writes_when_flushed_or_warned(void **state)
{
    struct km_log *log = km_log_new(fd_of_output(), KM_LOG_INFO, KM_LOG_TEXT);

    (void)state;
    assert_int_equal(km_log_thread_init(log, NULL), 0);
    assert_int_equal(km_log_thread_init(log, NULL), 0);
    km_log_msg(log, KM_LOG_INFO, "first", "a");
    assert_string_equal(read_output(), "");
    km_log_flush(log);
    assert_int_equal(lines_in(read_output()), 1);
    km_log_msg(log, KM_LOG_INFO, "second", "b");
    km_log_msg(log, KM_LOG_WARN, "third", "c");
    assert_int_equal(lines_in(read_output()), 3);
    km_log_msg(log, KM_LOG_INFO, "fourth", "d");
    km_log_thread_done(log);
    assert_int_equal(lines_in(read_output()), 4);
    km_log_msg(log, KM_LOG_INFO, "fifth", "written through");
    assert_int_equal(lines_in(read_output()), 5);
    km_log_free(log);
    close_output();
}

static void a_full_buffer_is_written_with_whole_lines_only(void **state)
{
    struct km_log *log = km_log_new(fd_of_output(), KM_LOG_INFO, KM_LOG_TEXT);
    size_t n = 0;

    (void)state;
    assert_int_equal(km_log_thread_init(log, NULL), 0);
    while (n == 0) {
        km_log_msg(log, KM_LOG_INFO, "fill", "%0200d", 1);
        n = strlen(read_output());
    }
    assert_in_range(n, 16 * 1024, 17 * 1024);
    assert_int_equal(out.text[n - 1], '\n');
    km_log_free(log);
    close_output();
}

static void input_cannot_forge_a_line_or_turn_it_around(void **state)
{
    static const struct {
        const char *in, *expected;
    } cases[] = {
        { "a\nlevel=error", "\"a\\nlevel=error\"" },
        { "a\"b\\", "\"a\\\"b\\\\\"" },
        { "\x1b[2J", "\"\\u001b[2J\"" },
        { "\x7f", "\"\\u007f\"" },
        { "x\xe2\x80\xaey", "\"x\\u202ey\"" }, /* right-to-left override */
        { "x\xe2\x81\xa6y", "\"x\\u2066y\"" }, /* isolate */
        { "x\xe2\x80\xa8y", "\"x\\u2028y\"" }, /* line separator */
        { "x\xc2\x85y", "\"x\\u0085y\"" },     /* next line */
        { "\xff", "\"\\ufffd\"" },
        { "\xe3\x81\x82", "\"\xe3\x81\x82\"" },
    };

    (void)state;
    for (int format = KM_LOG_TEXT; format <= KM_LOG_JSON; format++) {
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
            struct km_log *log =
                km_log_new(fd_of_output(), KM_LOG_INFO, (enum km_log_format)format);
            struct km_line l;

            assert_true(km_log_begin(log, &l, KM_LOG_INFO, "e"));
            km_line_cstr(&l, "v", cases[i].in);
            km_log_end(&l);
            assert_non_null(strstr(read_output(), cases[i].expected));
            assert_int_equal(lines_in(out.text), 1);
            km_log_free(log);
            close_output();
        }
    }
}

static void an_equals_sign_or_space_needs_quotes_in_text(void **state)
{
    struct km_log *log = km_log_new(fd_of_output(), KM_LOG_INFO, KM_LOG_TEXT);
    struct km_line l;

    (void)state;
    assert_true(km_log_begin(log, &l, KM_LOG_INFO, "e"));
    km_line_cstr(&l, "a", "b=c");
    km_line_cstr(&l, "d", "");
    km_log_end(&l);
    assert_non_null(strstr(read_output(), " a=\"b=c\" d=\"\"\n"));
    km_log_free(log);
    close_output();
}

static void values_and_lines_have_bounds(void **state)
{
    struct km_log *log = km_log_new(fd_of_output(), KM_LOG_INFO, KM_LOG_JSON);
    char *value = malloc(1 << 20);
    struct km_line l;

    (void)state;
    assert_non_null(value);
    memset(value, 1, 1 << 20); /* the longest escapes there are */
    assert_true(km_log_begin(log, &l, KM_LOG_INFO, "e"));
    for (int i = 0; i < 20; i++)
        km_line_str(&l, "v", km_str(value, 1 << 20));
    km_log_end(&l);
    km_log_msg(log, KM_LOG_INFO, "next", "is there");
    read_output();
    assert_int_equal(lines_in(out.text), 2);
    assert_non_null(strstr(out.text, "...\"}\n{\"time\""));
    assert_non_null(strstr(out.text, "is there"));
    assert_true(strlen(out.text) < 300000);
    free(value);
    km_log_free(log);
    close_output();
}

static void a_line_inside_a_line_stays_apart(void **state)
{
    struct km_log *log = km_log_new(fd_of_output(), KM_LOG_INFO, KM_LOG_TEXT);
    struct km_line outer;

    (void)state;
    assert_int_equal(km_log_thread_init(log, NULL), 0);
    assert_true(km_log_begin(log, &outer, KM_LOG_INFO, "outer"));
    km_line_u64(&outer, "a", 1);
    km_log_msg(log, KM_LOG_WARN, "inner", "x");
    km_log_flush(log);
    km_line_u64(&outer, "b", 2);
    km_log_end(&outer);
    km_log_flush(log);
    read_output();
    assert_int_equal(lines_in(out.text), 2);
    assert_non_null(strstr(out.text, "inner msg=x\n"));
    assert_non_null(strstr(out.text, "outer a=1 b=2\n"));
    km_log_free(log);
    close_output();
}

static void a_long_message_is_cut_and_says_so(void **state)
{
    struct km_log *log = km_log_new(fd_of_output(), KM_LOG_INFO, KM_LOG_TEXT);

    (void)state;
    km_log_msg(log, KM_LOG_INFO, "e", "%05000d", 1);
    assert_non_null(strstr(read_output(), "000...\"\n"));
    km_log_free(log);
    close_output();
}

static void a_new_descriptor_takes_what_follows(void **state)
{
    struct km_log *log = km_log_new(fd_of_output(), KM_LOG_INFO, KM_LOG_TEXT);
    FILE *old = out.file;
    char text[10];

    (void)state;
    km_log_set_fd(log, fd_of_output());
    km_log_msg(log, KM_LOG_INFO, "e", "new");
    assert_int_equal(lines_in(read_output()), 1);
    assert_int_equal(pread(fileno(old), text, sizeof text, 0), 0);
    fclose(old);
    km_log_free(log);
    close_output();
}

static void lost_lines_are_counted_and_reported(void **state)
{
    int fds[2];
    char drain[65536];
    struct km_log *log;
    ssize_t n;

    (void)state;
    assert_int_equal(pipe2(fds, O_NONBLOCK), 0);
    assert_true(fcntl(fds[1], F_SETPIPE_SZ, 4096) >= 4096);
    memset(drain, 'x', sizeof drain);
    while (write(fds[1], drain, 4096) > 0)
        ;
    log = km_log_new(fds[1], KM_LOG_INFO, KM_LOG_TEXT);
    assert_int_equal(km_log_thread_init(log, NULL), 0);
    km_log_msg(log, KM_LOG_INFO, "a", "dropped");
    km_log_msg(log, KM_LOG_WARN, "b", "dropped");
    while (read(fds[0], drain, sizeof drain) > 0)
        ;
    km_log_msg(log, KM_LOG_WARN, "c", "kept");
    n = read(fds[0], drain, sizeof drain - 1);
    assert_true(n > 0);
    drain[n] = '\0';
    assert_non_null(strstr(drain, "log.lost lines=2\n"));
    assert_non_null(strstr(drain, "c msg=kept\n"));
    assert_null(strstr(drain, "dropped"));
    km_log_free(log);
    close(fds[0]);
    close(fds[1]);
}

static void *write_lines(void *data)
{
    struct km_log *log = data;

    assert_int_equal(km_log_thread_init(log, NULL), 0);
    for (int i = 0; i < 500; i++)
        km_log_msg(log, i % 50 ? KM_LOG_INFO : KM_LOG_WARN, "thread", "%0100d", i);
    return NULL; /* without thread_done: what is left is written when the thread ends */
}

static void threads_lose_no_line_and_mix_none(void **state)
{
    struct km_log *log = km_log_new(fd_of_output(), KM_LOG_INFO, KM_LOG_TEXT);
    pthread_t threads[4];
    size_t lines = 0;

    (void)state;
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, write_lines, log), 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    for (const char *p = read_output(); *p; lines++) {
        const char *end = strchr(p, '\n');

        assert_non_null(end);
        assert_int_equal(end - p, 27 + 7 + 6 + 5 + 100);
        p = end + 1;
    }
    assert_int_equal(lines, 2000);
    km_log_free(log);
    close_output();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_has_its_fields_in_both_formats),
        cmocka_unit_test(a_level_that_is_off_costs_nothing),
        cmocka_unit_test(a_thread_with_a_buffer_writes_when_flushed_or_warned),
        cmocka_unit_test(a_full_buffer_is_written_with_whole_lines_only),
        cmocka_unit_test(input_cannot_forge_a_line_or_turn_it_around),
        cmocka_unit_test(an_equals_sign_or_space_needs_quotes_in_text),
        cmocka_unit_test(values_and_lines_have_bounds),
        cmocka_unit_test(a_line_inside_a_line_stays_apart),
        cmocka_unit_test(a_long_message_is_cut_and_says_so),
        cmocka_unit_test(a_new_descriptor_takes_what_follows),
        cmocka_unit_test(lost_lines_are_counted_and_reported),
        cmocka_unit_test(threads_lose_no_line_and_mix_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
