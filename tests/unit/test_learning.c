/* daemon/learning: which reports are believed, and what the store brings back. */
#include "serve_fixture.h"

#include "base/file.h"
#include "daemon/generations.h"
#include "daemon/learning.h"

#define CLASS "0123456789ab"
#define OTHER "ba9876543210"
#define X86   "{\"arch\":\"x86_64\",\"devices\":[]}"
#define ARM   "{\"arch\":\"arm64\",\"devices\":[]}"

struct bed {
    struct events events;
    struct counters counters;
    struct generations generations;
    struct boot_table *boots;
    struct learning *learning;
    struct moment now;
};
static struct bed bed;

static void make_learning(void)
{
    learning_free(bed.learning);
    bed.learning = learning_new(
        &(struct learning_config){.boots = bed.boots, .sink = &bed.events.sink, .random = counting_random});
    assert_non_null(bed.learning);
}

/* n1 boots `default`, which is fitted; n2 `guest`, which is not. */
static struct generation *generation(unsigned number)
{
    struct site *site = fixture_site(UNKNOWN_ALLOW);
    site->profiles.items[0].fitted = true;
    site->profiles.items[0].ready_within_s = 120;
    free(site->nodes.items[1].profile);
    site->nodes.items[1].profile = xstrdup("guest");
    return fixture_generation(number, site);
}

static int setup(void **state)
{
    (void)state;
    memset(&bed, 0, sizeof(bed));
    bed.events.sink.emit = events_emit;
    bed.now = (struct moment){.mono_us = 1000000000, .unix_us = 5000000000};
    generations_init(&bed.generations);
    generations_publish(&bed.generations, generation(1));
    bed.boots = boot_table_new(&(struct boot_table_config){
        .capacity = 100, .random = counting_random, .sink = &bed.events.sink, .counters = &bed.counters});
    make_learning();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    learning_free(bed.learning);
    boot_table_free(bed.boots);
    generations_clear(&bed.generations);
    return 0;
}

static uint64_t begin(const struct mac *mac, const char *profile)
{
    return boot_table_discover(bed.boots, &bed.now, mac, NULL, profile, 1);
}

static void report(const struct mac *mac, uint64_t boot, const char *hardware_class, const char *json)
{
    learning_observe(bed.learning, &(struct event){.kind = EVENT_HARDWARE,
                                                   .at = bed.now,
                                                   .mac = *mac,
                                                   .boot = boot,
                                                   .class = hardware_class,
                                                   .json = json});
}

static bool is_known(const struct mac *mac)
{
    char hardware_class[MACHINE_CLASS_SIZE];
    return fitted_class(learning_fitted(bed.learning), mac, hardware_class);
}

/* Kernels of classes are made for x86_64 alone. */
static void machines_of_another_processor_have_no_class(void **state)
{
    (void)state;
    uint64_t n1 = begin(&n1_mac, "default");
    report(&n1_mac, n1, CLASS, ARM);
    assert_false(is_known(&n1_mac));
}

/* Anybody can send a report: what would change a machine's kernel has to name its boot, which nobody can
 * guess. */
static void reports_that_name_no_boot_are_not_believed(void **state)
{
    (void)state;
    uint64_t n1 = begin(&n1_mac, "default");
    report(&n1_mac, 0, CLASS, X86);
    report(&n1_mac, n1 + 1, CLASS, X86);
    report(&(struct mac){0}, 0, CLASS, X86);
    assert_false(is_known(&n1_mac));
    report(&other_mac, 0, CLASS, X86); /* no boot of it is known */
    assert_true(is_known(&other_mac));
    report(&other_mac, 0, OTHER, X86); /* and only the first counts */
    char hardware_class[MACHINE_CLASS_SIZE];
    assert_true(fitted_class(learning_fitted(bed.learning), &other_mac, hardware_class));
    assert_string_equal(hardware_class, CLASS);
}

/* Hostile: nor is one whose boot we looked up by the MAC address it says. */
static void what_was_looked_up_is_not_believed(void **state)
{
    (void)state;
    uint64_t n1 = begin(&n1_mac, "default");
    struct event event = {.kind = EVENT_HARDWARE,
                          .at = bed.now,
                          .mac = n1_mac,
                          .boot = n1,
                          .hearsay = true,
                          .class = CLASS,
                          .json = X86};
    learning_observe(bed.learning, &event);
    assert_false(is_known(&n1_mac));
    event.hearsay = false;
    learning_observe(bed.learning, &event);
    assert_true(is_known(&n1_mac));
}

/* Which machines are forgotten when there are too many does not change with a restart: the store tells them
 * by class. What it has from hearsay is not learned. */
static void the_store_does_not_change_their_age(void **state)
{
    enum { MACHINES = 16384 };
    cleanup_diags struct diags diags = {0};
    CLEANUP(store_close) struct store *store = NULL;
    char dir[] = "/tmp/rambox-learning-XXXXXX";
    (void)state;
    assert_non_null(mkdtemp(dir));
    cleanup_free char *path = xasprintf("%s/rambox.db", dir);
    assert_int_equal(store_open(path, &diags, &store), 0);
    const struct store_op ops[] = {
        {.kind = STORE_MACHINE_PUT,
         .machine = {.mac = n1_mac, .class = CLASS, .at_us = 200, .boot = 70, .json = (char[]){X86}}},
        {.kind = STORE_MACHINE_PUT,
         .machine = {.mac = n2_mac, .class = OTHER, .at_us = 100, .boot = 71, .json = (char[]){X86}}},
        {.kind = STORE_MACHINE_PUT,
         .machine = {.mac = other_mac, .class = CLASS, .at_us = 300, .json = (char[]){X86}}}};
    assert_int_equal(store_commit(store, ops, ARRAY_SIZE(ops)), 0);
    assert_int_equal(learning_load(bed.learning, store, &bed.now, NULL), 0);
    assert_true(is_known(&n1_mac) && is_known(&n2_mac));
    assert_false(is_known(&other_mac));
    for (unsigned i = 0; i < MACHINES - 1; i++) {
        struct mac mac = {{2, 0, 0, 0, (uint8_t)(i >> 8), (uint8_t)i}};
        fitted_machine(learning_fitted(bed.learning), &mac, 1, OTHER);
    }
    assert_true(is_known(&n1_mac));
    assert_false(is_known(&n2_mac));
    assert_int_equal(dir_remove(dir), 0);
}

/* Nor does which trials are. */
static void the_store_does_not_change_the_age_of_trials(void **state)
{
    enum { TRIALS = 1024 };
    cleanup_diags struct diags diags = {0};
    CLEANUP(store_close) struct store *store = NULL;
    char dir[] = "/tmp/rambox-learning-XXXXXX";
    struct store_op ops[3] = {{0}};
    struct trial trial = {.class = "ffffffffffff", .state = TRIAL_PROVEN};
    (void)state;
    assert_non_null(mkdtemp(dir));
    cleanup_free char *path = xasprintf("%s/rambox.db", dir);
    assert_int_equal(store_open(path, &diags, &store), 0);
    for (unsigned i = 0; i < ARRAY_SIZE(ops); i++) {
        ops[i] = (struct store_op){.kind = STORE_TRIAL_PUT,
                                   .trial = {.class = CLASS, .state = TRIAL_PROVEN, .begun_us = 10 - i}};
        ops[i].trial.class[0] = (char)('a' + i);
    }
    assert_int_equal(store_commit(store, ops, ARRAY_SIZE(ops)), 0);
    assert_int_equal(learning_load(bed.learning, store, &bed.now, NULL), 0);
    for (unsigned i = 0; i < TRIALS - 2; i++) {
        memcpy(trial.kernel.b, &i, sizeof(i));
        fitted_trial(learning_fitted(bed.learning), &bed.now, &trial, 120);
    }
    for (unsigned i = 0; i < ARRAY_SIZE(ops); i++)
        assert_int_equal(
            fitted_proven(learning_fitted(bed.learning), ops[i].trial.class, &ops[i].trial.kernel), i < 2);
    assert_int_equal(dir_remove(dir), 0);
}

/* What the store has of an earlier process: classes, and trials with what their profile gives them. */
static void the_store_brings_it_back(void **state)
{
    cleanup_diags struct diags diags = {0};
    CLEANUP(store_close) struct store *store = NULL;
    char dir[] = "/tmp/rambox-learning-XXXXXX";
    (void)state;
    assert_non_null(mkdtemp(dir));
    cleanup_free char *path = xasprintf("%s/rambox.db", dir);
    assert_int_equal(store_open(path, &diags, &store), 0);
    struct trial trial = {.class = CLASS,
                          .state = TRIAL_RUNNING,
                          .mac = n1_mac,
                          .node = "n1",
                          .boot = 77,
                          .begun_us = bed.now.unix_us - 100 * INT64_C(1000000),
                          .stage = "kernel fetched"};
    memset(trial.kernel.b, 0x11, sizeof(trial.kernel.b));
    struct trial proven = trial;
    memset(proven.kernel.b, 0x22, sizeof(proven.kernel.b));
    proven.state = TRIAL_PROVEN;
    const struct store_op ops[] = {
        {.kind = STORE_MACHINE_PUT,
         .machine = {.mac = n1_mac, .class = CLASS, .boot = 70, .json = (char[]){X86}}},
        {.kind = STORE_MACHINE_PUT,
         .machine = {.mac = n2_mac, .class = OTHER, .boot = 71, .json = (char[]){ARM}}},
        {.kind = STORE_TRIAL_PUT, .trial = trial},
        {.kind = STORE_TRIAL_PUT, .trial = proven}};
    assert_int_equal(store_commit(store, ops, ARRAY_SIZE(ops)), 0);
    assert_int_equal(learning_load(bed.learning, store, &bed.now, bed.generations.current->site), 0);
    assert_true(is_known(&n1_mac));
    assert_false(is_known(&n2_mac));
    struct artifact_source source = learning_source(bed.learning, &(struct artifact_source){.user = &bed});
    assert_ptr_equal(source.user, &bed);
    assert_true(source.proven(source.proven_user, CLASS ".before", &proven.kernel));
    assert_false(source.proven(source.proven_user, CLASS, &trial.kernel));
    /* 120 s are its profile's, of which 100 are gone. */
    bed.now.mono_us += 19 * UINT64_C(1000000);
    learning_tick(bed.learning, &bed.now);
    assert_int_equal(bed.events.n[EVENT_TRIAL], 0);
    bed.now.mono_us += UINT64_C(1000000);
    learning_tick(bed.learning, &bed.now);
    assert_int_equal(bed.events.n[EVENT_TRIAL], 1);
    assert_string_equal(
        bed.events.detail[EVENT_TRIAL],
        "its new kernel did not come up on n1 within 2 min; last seen: kernel fetched. n1 gets what worked "
        "before it at its next boot");
    assert_int_equal(dir_remove(dir), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(machines_of_another_processor_have_no_class), TEST(reports_that_name_no_boot_are_not_believed),
        TEST(what_was_looked_up_is_not_believed),          TEST(the_store_brings_it_back),
        TEST(the_store_does_not_change_their_age),         TEST(the_store_does_not_change_the_age_of_trials),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
