/* store/: what machines are made of, and what came of the kernels of their classes. */
#include "store_fixture.h"

#include <errno.h>

static void commit_machine(struct store *store, struct store_op op)
{
    assert_int_equal(store_commit(store, &op, 1), 0);
    store_op_clear(&op);
}

static int add_machine(void *user, const struct store_machine *m)
{
    str_printf(user, "%02x%02x %s %s %ld %lx %s; ", m->mac.b[0], m->mac.b[5], m->node, m->class,
               (long)m->at_us, (unsigned long)m->boot, m->json);
    return 0;
}

static int stop_machines(void *user, const struct store_machine *m)
{
    ++*(unsigned *)user;
    return m->at_us ? -ECANCELED : 0;
}

/* What a machine is comes back as it was reported, by class; what it reports later replaces it. */
static void machine_round_trip(void **state)
{
    (void)state;
    cleanup_str struct str text = {0}, later = {0};
    unsigned n = 0;
    struct store *store = open_store();
    struct store_op op = machine_op(1, 3), last = machine_op(2, 1);
    memset(op.machine.mac.b, 0xfe, sizeof(op.machine.mac.b));
    memset(op.machine.node, 'n', sizeof(op.machine.node) - 1);
    memcpy(op.machine.class, "fffffffffff0", MACHINE_CLASS_SIZE);
    op.machine.boot = UINT64_MAX;
    commit_machine(store, op);
    commit_machine(store, last);
    store_close(store);
    store = open_store();
    assert_int_equal(store_each_machine(store, add_machine, &text), 0);
    cleanup_free char *expected = xasprintf("0202  0123456789ab 2 0 j; fefe %.63s fffffffffff0 1 %lx jjj; ",
                                            op.machine.node, UINT64_MAX);
    assert_string_equal(str_text(&text), expected);
    last = machine_op(2, 2);
    last.machine.at_us = 3;
    memcpy(last.machine.class, "ffffffffffff", MACHINE_CLASS_SIZE);
    commit_machine(store, last);
    assert_int_equal(store_each_machine(store, add_machine, &later), 0);
    assert_non_null(strstr(str_text(&later), "; 0202  ffffffffffff 3 0 jj; "));
    assert_int_equal(store_each_machine(store, stop_machines, &n), -ECANCELED);
    assert_int_equal(n, 1);
    store_close(store);
}

/* A kernel without DMI does not make a machine nameless, but another machine with its card is. */
static void machine_names_stay(void **state)
{
    (void)state;
    static const struct {
        const char *class, *json, *kept;
    } steps[] = {
        {"a", "{\"dmi\":{\"vendor\":\"V\"},\"n\":1}", "{\"dmi\":{\"vendor\":\"V\"},\"n\":1}"},
        {"a", "{\"n\":2}", "{\"n\":2,\"dmi\":{\"vendor\":\"V\"}}"},
        {"a", "{\"n\":3}", "{\"n\":3,\"dmi\":{\"vendor\":\"V\"}}"},
        {"a", "{\"dmi\":{\"vendor\":\"W\"}}", "{\"dmi\":{\"vendor\":\"W\"}}"},
        {"b", "{\"n\":4}", "{\"n\":4}"},
        {"b", "no JSON", "no JSON"},
        {"b", "{\"n\":5}", "{\"n\":5}"},
    };
    struct store *store = open_store();
    for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
        cleanup_str struct str text = {0};
        struct store_op op = machine_op(1, 0);
        free(op.machine.json);
        op.machine.json = xstrdup(steps[i].json);
        snprintf(op.machine.class, sizeof(op.machine.class), "%s", steps[i].class);
        commit_machine(store, op);
        assert_int_equal(store_each_machine(store, add_machine, &text), 0);
        if (!strstr(str_text(&text), steps[i].kept))
            fail_msg("%zu: %s", i, str_text(&text));
    }
    store_close(store);
}

/* Hostile: somebody reports a new machine each time, small ones and huge ones; those that reported last stay.
 */
static void machines_are_bounded(void **state)
{
    (void)state;
    enum { BATCH = 40 };
    static const struct {
        unsigned n;
        size_t size;
    } floods[] = {{2520, 10}, {160, 250000}};
    store_close(open_store());
    run_sql("WITH n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9000) INSERT INTO machines"
            " SELECT i, '', '', 0, 0, 24000, '' FROM n");
    struct store *store = open_store();
    uint32_t next = 1;
    for (size_t f = 0; f < ARRAY_SIZE(floods); f++) {
        for (unsigned i = 0; i < floods[f].n; i += BATCH) {
            struct store_op ops[BATCH];
            for (unsigned j = 0; j < BATCH; j++)
                ops[j] = machine_op(next++, floods[f].size);
            assert_int_equal(store_commit(store, ops, BATCH), 0);
            for (unsigned j = 0; j < BATCH; j++)
                store_op_clear(&ops[j]);
        }
        struct machines all = machines_of(store);
        assert_in_range(all.n, 5000, STORE_MACHINES_MAX + 1000);
        assert_in_range(all.bytes, 1, STORE_MACHINES_BYTES + (17 << 20));
        assert_int_equal(all.newest, next - 1);
    }
    store_close(store);
}

static int add_trial(void *user, const struct trial *t)
{
    assert_true(t->boot == UINT64_MAX - 1 && t->mac.b[0] == 0xfe && t->mac.b[5] == 0xff);
    str_printf(user, "%s %u %s %s %ld-%ld %s; ", t->class, t->kernel.b[0], trial_state_name(t->state),
               t->node, (long)t->begun_us, (long)t->ended_us, t->stage);
    return 0;
}

/* A trial is known by its class and kernel: how it ends replaces how it began. The newest of a class is
 * first.
 */
static void trial_round_trip(void **state)
{
    (void)state;
    struct store_op ops[] = {trial_op("bbbbbbbbbbbb", 1, 10), trial_op("aaaaaaaaaaaa", 1, 10),
                             trial_op("bbbbbbbbbbbb", 2, 20), trial_op("bbbbbbbbbbbb", 1, 10)};
    cleanup_str struct str text = {0};
    ops[3].trial.state = TRIAL_FAILED;
    ops[3].trial.ended_us = 15;
    memset(ops[3].trial.stage, 's', sizeof(ops[3].trial.stage) - 1);
    struct store *store = open_store();
    assert_int_equal(store_commit(store, ops, ARRAY_SIZE(ops)), 0);
    store_close(store);
    store = open_store();
    assert_int_equal(store_each_trial(store, add_trial, &text), 0);
    assert_string_equal(str_text(&text),
                        "aaaaaaaaaaaa 1 trial n1 10-0 image; bbbbbbbbbbbb 2 trial n1 20-0 image;"
                        " bbbbbbbbbbbb 1 failed n1 10-15 sssssssssssssssssssssss; ");
    store_close(store);
}

static int count_trial(void *user, const struct trial *t)
{
    assert_true(t->begun_us > 500);
    ++*(unsigned *)user;
    return 0;
}

/* Kernels come and go for years: the last trials are kept. */
static void trials_are_bounded(void **state)
{
    (void)state;
    enum { BATCH = 50 };
    struct store *store = open_store();
    unsigned n = 0;
    for (int64_t i = 0; i < STORE_TRIALS_MAX + 500; i += BATCH) {
        struct store_op ops[BATCH];
        for (int64_t j = 0; j < BATCH; j++)
            ops[j] = trial_op("aaaaaaaaaaaa", 1, i + j + 1);
        assert_int_equal(store_commit(store, ops, BATCH), 0);
    }
    assert_int_equal(store_each_trial(store, count_trial, &n), 0);
    assert_int_equal(n, STORE_TRIALS_MAX);
    store_close(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(machine_round_trip, setup, teardown),
        cmocka_unit_test_setup_teardown(machine_names_stay, setup, teardown),
        cmocka_unit_test_setup_teardown(machines_are_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(trial_round_trip, setup, teardown),
        cmocka_unit_test_setup_teardown(trials_are_bounded, setup, teardown),
    };
    return cmocka_run_group_tests_name("store_machines", tests, make_folder, remove_folder);
}
