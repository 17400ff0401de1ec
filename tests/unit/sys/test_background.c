/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>

#include "sys/background.h"

struct seen {
    int policy, nice;
};

static void *go(void *arg)
{
    struct seen *seen = arg;

    km_thread_to_background();
    seen->policy = sched_getscheduler(0);
    seen->nice = getpriority(PRIO_PROCESS, 0);
    return NULL;
}

static void only_the_calling_thread_goes_behind_and_its_share_stays(void **state)
{
    struct seen seen = { 0 };
    pthread_t thread;

    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, go, &seen), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(seen.policy, SCHED_BATCH);
    assert_int_equal(seen.nice, getpriority(PRIO_PROCESS, 0));
    assert_int_equal(sched_getscheduler(0), SCHED_OTHER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_the_calling_thread_goes_behind_and_its_share_stays),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
