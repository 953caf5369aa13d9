/* serve/fitted: what holds whatever happens in whatever order, and whoever asks. */
#include "fitted_fixture.h"

#include <pthread.h>

/* Whatever happens in whatever order: no kernel is given that has failed, only one machine at a time has one
 * that is not proven, always as a trial, and a boot hears the same as long as its trial is not over. */
struct model_machine {
    uint64_t boot;
    bool answered;
    struct fitted_choice choice;
    uint8_t kernel; /* byte of its digest; 0: discovery */
};

static uint64_t random_state;
static unsigned random_below(unsigned n)
{
    random_state = random_state * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (unsigned)(random_state >> 33) % n;
}

static enum trial_state states[256]; /* by the byte of the kernel's digest; of those that were tried */
static bool tried[256];
static unsigned trier[256];

static void emit_to_model(struct event_sink *sink, const struct event *event)
{
    uint8_t kernel = event->trial->kernel.b[0];
    (void)sink;
    if (event->trial->state == TRIAL_RUNNING && event->detail) {
        assert_true(!tried[kernel] || states[kernel] == TRIAL_WITHDRAWN);
        trier[kernel] = event->trial->mac.b[5];
    }
    if (event->trial->state == TRIAL_FAILED)
        assert_true(states[kernel] == TRIAL_RUNNING);
    tried[kernel] = true;
    states[kernel] = event->trial->state;
}

static void check_answer(struct model_machine *m, unsigned n, uint8_t now, uint8_t before)
{
    struct fitted_choice choice = choice_of(n, m->boot, false);
    uint8_t kernel = str_eq(choice.kernel, KERNEL) ? now : str_eq(choice.kernel, BEFORE) ? before : 0;
    assert_int_equal(kernel != 0, choice.kernel[0] != '\0');
    if (kernel) {
        assert_true(tried[kernel] && states[kernel] != TRIAL_FAILED && states[kernel] != TRIAL_WITHDRAWN);
        if (states[kernel] == TRIAL_RUNNING)
            assert_true(choice.trial_s == WITHIN_S && trier[kernel] == n);
    }
    bool there = !m->kernel || m->kernel == now || m->kernel == before;
    bool over = m->kernel && (states[m->kernel] == TRIAL_FAILED || states[m->kernel] == TRIAL_WITHDRAWN);
    bool mine = !m->kernel || states[m->kernel] != TRIAL_RUNNING || trier[m->kernel] == n;
    if (m->answered && there && !over && mine)
        assert_int_equal(kernel, m->kernel);
    m->answered = true;
    m->choice = choice;
    m->kernel = kernel;
}

static void any_sequence_keeps_the_promises(void **state)
{
    enum { MACHINES = 4, STEPS = 4000 };
    (void)state;
    bed.sink.emit = emit_to_model;
    for (unsigned seed = 1; seed <= 20; seed++) {
        struct model_machine machines[MACHINES + 1] = {0};
        uint64_t boot = 1000;
        uint8_t now = 1, before = 0;
        random_state = seed;
        memset(tried, 0, sizeof(tried));
        memset(states, 0, sizeof(states));
        make_fitted(0, 0);
        have(CLASS, now, before);
        for (unsigned n = 1; n <= MACHINES; n++) {
            machine(n, CLASS);
            machines[n].boot = ++boot;
        }
        for (unsigned step = 0; step < STEPS; step++) {
            unsigned n = 1 + random_below(MACHINES);
            struct model_machine *m = &machines[n];
            switch (random_below(12)) {
            case 0:
            case 1:
                *m = (struct model_machine){.boot = ++boot};
                begins(n, m->boot);
                break;
            case 2:
                asks(n, m->boot);
                break;
            case 3:
                fetches(n, m->boot);
                break;
            case 4:
                if (m->kernel && random_below(2))
                    ready(n, m->boot);
                break;
            case 5:
                pass(random_below(200));
                break;
            case 6:
                if (random_below(40) == 0 && now < 250) {
                    before = random_below(3) ? now : before;
                    now++;
                    have(CLASS, now, before);
                }
                break;
            case 7:
                begins(n, m->boot); /* an address, a generation: the same boot */
                break;
            default:
                check_answer(m, n, now, before);
            }
        }
    }
}

/* Any thread may ask and tell. */
static void emit_nothing(struct event_sink *sink, const struct event *e)
{
    (void)sink;
    (void)e;
}

static void *play(void *argument)
{
    unsigned n = *(const unsigned *)argument;
    uint64_t boot = n * UINT64_C(1000000);
    for (unsigned i = 0; i < 2000; i++) {
        machine(n, CLASS);
        begins(n, ++boot);
        (void)choice_of(n, boot, false);
        asks(n, boot);
        fitted_tick(bed.fitted, &bed.now);
    }
    return NULL;
}

static void threads_share_it(void **state)
{
    static unsigned numbers[4] = {1, 2, 3, 4};
    pthread_t threads[ARRAY_SIZE(numbers)];
    (void)state;
    bed.sink.emit = emit_nothing;
    have(CLASS, NEW, 0);
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, play, &numbers[i]), 0);
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(any_sequence_keeps_the_promises),
        TEST(threads_share_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
