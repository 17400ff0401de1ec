/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/log.h"

#define LONG_MS 50000 /* for what ends much sooner */

/* What was written so far. */
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

static const char *read_file(void)
{
    ssize_t n = pread(fileno(out.file), out.text, sizeof out.text - 1, 0);

    assert_true(n >= 0);
    out.text[n] = '\0';
    return out.text;
}

static const char *read_output(struct km_log *log)
{
    assert_true(km_log_flush(log, LONG_MS));
    return read_file();
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
    read_output(log);
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

/* Nobody asks for it to be written, and nothing more is logged. */
static void a_line_comes_out_by_itself(void **state)
{
    (void)state;
    for (int level = KM_LOG_INFO; level <= KM_LOG_WARN; level++) {
        struct km_log *log = km_log_new(fd_of_output(), KM_LOG_INFO, KM_LOG_TEXT);

        km_log_msg(log, (enum km_log_level)level, "e", "x");
        while (lines_in(read_file()) == 0)
            sched_yield();
        km_log_free(log);
        close_output();
    }
}

static void what_was_logged_is_written_before_the_end(void **state)
{
    struct km_log *log = km_log_new(fd_of_output(), KM_LOG_INFO, KM_LOG_TEXT);

    (void)state;
    assert_int_equal(km_log_thread_init(log, NULL), 0);
    assert_int_equal(km_log_thread_init(log, NULL), 0);
    for (int i = 0; i < 1000; i++)
        km_log_msg(log, KM_LOG_INFO, "fill", "%0200d", i);
    km_log_thread_done(log);
    km_log_msg(log, KM_LOG_INFO, "last", "of a thread without a buffer");
    km_log_free(log);
    assert_int_equal(lines_in(read_file()), 1001);
    assert_non_null(strstr(out.text, "last msg="));
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
            assert_non_null(strstr(read_output(log), cases[i].expected));
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
    assert_non_null(strstr(read_output(log), " a=\"b=c\" d=\"\"\n"));
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
    read_output(log);
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
    km_line_u64(&outer, "b", 2);
    km_log_end(&outer);
    read_output(log);
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
    assert_non_null(strstr(read_output(log), "000...\"\n"));
    km_log_free(log);
    close_output();
}

static void a_new_descriptor_takes_what_follows(void **state)
{
    struct km_log *log = km_log_new(fd_of_output(), KM_LOG_INFO, KM_LOG_TEXT);
    FILE *old = out.file;
    char text[10];

    (void)state;
    for (int i = 0; i < 2; i++) /* the first of them is never written to */
        km_log_set_fd(log, dup(i ? fd_of_output() : fileno(old)));
    km_log_msg(log, KM_LOG_INFO, "e", "new");
    assert_int_equal(lines_in(read_output(log)), 1);
    assert_int_equal(pread(fileno(old), text, sizeof text, 0), 0);
    fclose(old);
    km_log_free(log);
    close_output();
}

/* A pipe as processes inherit it: small here, blocking, and nobody reads. */
static struct km_log *log_to_stalled_pipe(int fds[2])
{
    struct km_log *log;

    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    assert_true(fcntl(fds[1], F_SETPIPE_SZ, 4096) >= 4096);
    log = km_log_new(fds[1], KM_LOG_INFO, KM_LOG_TEXT);
    assert_non_null(log);
    assert_int_equal(km_log_thread_init(log, NULL), 0);
    return log;
}

/* More than waits for a reader.  Returns how many lines. */
static uint64_t log_until_lines_are_dropped(struct km_log *log)
{
    uint64_t lines = 0;

    while (km_log_dropped(log) < 1000) {
        km_log_msg(log, lines % 7 ? KM_LOG_INFO : KM_LOG_WARN, "e", "%0200d|", (int)lines);
        lines++;
    }
    return lines;
}

struct tally {
    uint64_t lines, reported;
    char last_time[28];
};

/* One whole line, as it was logged or of a report, and later than those before it. */
static void check_line(struct tally *t, char *line, size_t n)
{
    line[n] = '\0';
    assert_true(n > 40);
    assert_true(strncmp(line, t->last_time, 27) >= 0);
    memcpy(t->last_time, line, 27);
    if (strncmp(line + 27, " WARN  log.lost lines=", 22) == 0) {
        t->reported += strtoull(line + 49, NULL, 10);
        return;
    }
    assert_int_equal(n, 27 + 7 + 1 + 5 + 201);
    assert_int_equal(line[n - 1], '|');
    t->lines++;
}

/* Reads until there are as many lines, those that are reported to be lost among them. */
static void read_lines(int fd, struct tally *t, uint64_t most)
{
    static char text[65536];
    size_t have = 0;

    while (t->lines + t->reported < most) {
        const ssize_t n = read(fd, text + have, sizeof text - have);
        char *at = text, *end;

        assert_true(n > 0);
        have += (size_t)n;
        while ((end = memchr(at, '\n', have - (size_t)(at - text))) != NULL) {
            check_line(t, at, (size_t)(end - at));
            at = end + 1;
        }
        have -= (size_t)(at - text);
        memmove(text, at, have);
    }
}

static void a_reader_that_stalls_costs_lines_and_nothing_else(void **state)
{
    int fds[2];
    struct km_log *log = log_to_stalled_pipe(fds);
    uint64_t lines = log_until_lines_are_dropped(log);
    struct tally t = { 0 };

    (void)state;
    read_lines(fds[0], &t, lines); /* the last were dropped: said without another line */
    assert_int_equal(t.reported, km_log_dropped(log));
    km_log_msg(log, KM_LOG_INFO, "e", "%0200d|", 1);
    read_lines(fds[0], &t, ++lines);
    assert_int_equal(t.reported, km_log_dropped(log));
    km_log_free(log);
    close(fds[0]);
    close(fds[1]);
}

static void what_is_lost_between_lines_is_said_between_them(void **state)
{
    int fds[2];
    struct km_log *log = log_to_stalled_pipe(fds);
    uint64_t lines = 0;
    struct tally t = { 0 };

    (void)state;
    for (int i = 0; i < 3; i++) {
        const uint64_t dropped = km_log_dropped(log);

        while (km_log_dropped(log) < dropped + 10 * (unsigned)(i + 1)) {
            km_log_msg(log, KM_LOG_INFO, "e", "%0200d|", 1);
            lines++;
        }
        read_lines(fds[0], &t, lines - 6000); /* over half of what waits */
    }
    read_lines(fds[0], &t, lines);
    assert_int_equal(t.reported, km_log_dropped(log));
    km_log_free(log);
    close(fds[0]);
    close(fds[1]);
}

static void the_end_does_not_wait_for_a_reader_that_stalls(void **state)
{
    int fds[2];
    struct km_log *log = log_to_stalled_pipe(fds);

    (void)state;
    log_until_lines_are_dropped(log);
    km_log_free(log); /* or this test hangs */
    close(fds[0]);
    close(fds[1]);
}

static void a_log_that_stalls_can_be_sent_elsewhere(void **state)
{
    int fds[2];
    struct km_log *log = log_to_stalled_pipe(fds);

    (void)state;
    for (int i = 0; i < 100; i++)
        km_log_msg(log, KM_LOG_INFO, "e", "%0200d|", i);
    assert_false(km_log_flush(log, 0));
    km_log_set_fd(log, dup(fd_of_output()));
    read_output(log);
    assert_non_null(strstr(out.text, "099|\n"));
    assert_memory_equal(out.text, "2", 1); /* the first one is whole */
    assert_int_equal(km_log_dropped(log), 0);
    km_log_free(log);
    close_output();
    close(fds[0]);
    close(fds[1]);
}

static void a_file_that_is_cut_has_no_gap(void **state)
{
    char path[] = "/tmp/kanmon-log-XXXXXX";
    const int made = mkstemp(path);

    (void)state;
    for (int flags = O_RDWR; flags <= (O_RDWR | O_APPEND); flags += O_APPEND) {
        int fd = open(path, flags | O_TRUNC);
        struct km_log *log = km_log_new(fd, KM_LOG_INFO, KM_LOG_TEXT);

        out.file = fdopen(fd, "r+");
        km_log_msg(log, KM_LOG_INFO, "e", "%0300d", 1);
        assert_int_equal(lines_in(read_output(log)), 1);
        assert_int_equal(ftruncate(fd, 0), 0);
        km_log_msg(log, KM_LOG_INFO, "second", "x");
        assert_int_equal(lines_in(read_output(log)), 1);
        assert_non_null(strstr(out.text, "second"));
        km_log_free(log);
        close_output();
    }
    close(made);
    unlink(path);
}

/* As on a full disk: the last line goes in half. */
static void a_line_that_could_be_written_in_part_only_spoils_no_other(void **state)
{
    struct km_log *log = km_log_new(fd_of_output(), KM_LOG_INFO, KM_LOG_TEXT);
    struct rlimit before, less;

    (void)state;
    signal(SIGXFSZ, SIG_IGN);
    km_log_msg(log, KM_LOG_INFO, "first", "x");
    less.rlim_cur = strlen(read_output(log)) + 50;
    getrlimit(RLIMIT_FSIZE, &before);
    less.rlim_max = before.rlim_max;
    setrlimit(RLIMIT_FSIZE, &less);
    km_log_msg(log, KM_LOG_INFO, "second", "%0300d", 1);
    assert_int_equal(strlen(read_output(log)), less.rlim_cur);
    setrlimit(RLIMIT_FSIZE, &before);
    km_log_msg(log, KM_LOG_INFO, "third", "y");
    read_output(log);
    assert_non_null(strstr(out.text, "log.lost lines=1\n"));
    assert_non_null(strstr(out.text, "third msg=y\n"));
    assert_int_equal(lines_in(out.text), 4); /* the first, a piece, the report, the third */
    assert_int_equal(km_log_dropped(log), 1);
    km_log_free(log);
    close_output();
}

static void *write_lines(void *data)
{
    struct km_log *log = data;

    assert_int_equal(km_log_thread_init(log, NULL), 0);
    for (int i = 0; i < 500; i++)
        km_log_msg(log, i % 50 ? KM_LOG_INFO : KM_LOG_WARN, "thread", "%0100d", i);
    return NULL; /* without thread_done */
}

static void threads_lose_no_line_mix_none_and_are_in_order_of_time(void **state)
{
    struct km_log *log = km_log_new(fd_of_output(), KM_LOG_INFO, KM_LOG_TEXT);
    pthread_t threads[4];
    const char *before = NULL;
    size_t lines = 0;

    (void)state;
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, write_lines, log), 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    for (const char *p = read_output(log); *p; lines++) {
        const char *end = strchr(p, '\n');

        assert_non_null(end);
        assert_int_equal(end - p, 27 + 7 + 6 + 5 + 100);
        assert_true(!before || strncmp(before, p, 27) <= 0);
        before = p;
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
        cmocka_unit_test(a_line_comes_out_by_itself),
        cmocka_unit_test(what_was_logged_is_written_before_the_end),
        cmocka_unit_test(input_cannot_forge_a_line_or_turn_it_around),
        cmocka_unit_test(an_equals_sign_or_space_needs_quotes_in_text),
        cmocka_unit_test(values_and_lines_have_bounds),
        cmocka_unit_test(a_line_inside_a_line_stays_apart),
        cmocka_unit_test(a_long_message_is_cut_and_says_so),
        cmocka_unit_test(a_new_descriptor_takes_what_follows),
        cmocka_unit_test(a_reader_that_stalls_costs_lines_and_nothing_else),
        cmocka_unit_test(what_is_lost_between_lines_is_said_between_them),
        cmocka_unit_test(the_end_does_not_wait_for_a_reader_that_stalls),
        cmocka_unit_test(a_log_that_stalls_can_be_sent_elsewhere),
        cmocka_unit_test(a_file_that_is_cut_has_no_gap),
        cmocka_unit_test(a_line_that_could_be_written_in_part_only_spoils_no_other),
        cmocka_unit_test(threads_lose_no_line_mix_none_and_are_in_order_of_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
