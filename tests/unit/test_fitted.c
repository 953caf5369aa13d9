/* serve/fitted and serve/trials: which kernel a machine of a class boots, and what becomes of one that nobody
 * has come up with yet. */
#include "fitted_fixture.h"

#include <errno.h>

static void one_tries_and_then_all_have_it(void **state)
{
    (void)state;
    have(CLASS, NEW, 0);
    begins(1, 100);
    GETS(1, 100, DISCOVERY, false); /* nobody knows what it is made of */
    machine(1, CLASS);
    machine(2, CLASS);
    machine(3, OTHER);
    assert_int_equal(bed.told, 0);
    begins(1, 101);
    GETS(1, 101, KERNEL, true);
    assert_string_equal(bed.text, "n1 tries its new kernel 222222222222, and has 5 min to ready");
    assert_int_equal(bed.last.state, TRIAL_RUNNING);
    assert_int_equal(bed.last.begun_us, bed.now.unix_us);
    GETS(2, 200, DISCOVERY, false);
    GETS(3, 300, DISCOVERY, false); /* another class */
    GETS(1, 101, KERNEL, true);     /* as often as it asks */
    assert_int_equal(bed.told, 1);
    fetches(1, 101);
    GETS(1, 101, KERNEL, true);
    event(1, 101, EVENT_FILE_END, "g12/image/smallest", NULL);
    event(1, 101, EVENT_STAGE, NULL, "init");
    GETS(2, 201, DISCOVERY, false);
    pass(WITHIN_S - 1);
    ready(1, 101);
    assert_string_equal(
        bed.text, "its new kernel came up on n1; every machine of the class gets it from its next boot on");
    assert_int_equal(bed.last.ended_us, bed.now.unix_us);
    assert_int_equal(bed.told, 2);
    /* What the store got, in this order. */
    static const char *const stages[] = {
        "told what to boot", "kernel asked for", "kernel fetched", "image fetched", "init", "ready"};
    assert_int_equal(bed.stored_n, ARRAY_SIZE(stages));
    for (size_t i = 0; i < ARRAY_SIZE(stages); i++)
        assert_string_equal(bed.stored[i], stages[i]);
    GETS(2, 201, DISCOVERY, false); /* that boot has its answer */
    GETS(2, 202, KERNEL, false);
    GETS(1, 102, KERNEL, false);
    struct digest digest;
    memset(digest.b, NEW, sizeof(digest.b));
    assert_true(fitted_proven(bed.fitted, BEFORE + strlen("class-"), &digest));
    assert_false(fitted_proven(bed.fitted, OTHER, &digest));
}

/* The other nodes, and the one that tries, have what worked before; what failed is never given again. */
static void a_kernel_that_does_not_come_up_is_taken_back(void **state)
{
    (void)state;
    prove(OLD, 100);
    have(CLASS, NEW, OLD);
    machine(2, CLASS);
    begins(1, 101);
    GETS(1, 101, KERNEL, true);
    GETS(2, 200, BEFORE, false);
    fetches(1, 101);
    pass(WITHIN_S - 1);
    assert_int_equal(bed.last.state, TRIAL_RUNNING);
    pass(1);
    assert_int_equal(bed.last.state, TRIAL_FAILED);
    assert_string_equal(
        bed.text,
        "its new kernel did not come up on n1 within 5 min; last seen: kernel fetched. n1 gets what "
        "worked before it at its next boot");
    GETS(1, 101, BEFORE, false); /* even in the same boot */
    begins(1, 102);
    GETS(1, 102, BEFORE, false);
    GETS(2, 201, BEFORE, false);
    have(CLASS, NEW, 0);
    GETS(1, 103, DISCOVERY, false);
    /* Another build of it is another kernel. */
    have(CLASS, NEWER, NEW);
    GETS(2, 202, KERNEL, true);
    GETS(1, 104, DISCOVERY, false); /* the one before has failed */
    fetches(2, 202);
    ready(2, 202);
    GETS(1, 105, KERNEL, false);
}

static void another_boot_before_ready_is_a_failure(void **state)
{
    (void)state;
    have(CLASS, NEW, 0);
    machine(1, CLASS);
    begins(1, 101);
    GETS(1, 101, KERNEL, true);
    /* A firmware that asks for its address again does not begin another boot, nor does another machine. */
    event(1, 101, EVENT_DHCP_IN, NULL, "DISCOVER");
    begins(1, 101);
    fetches(1, 101);
    begins(1, 101);
    begins(2, 200);
    event(1, 101, EVENT_STAGE, NULL, "init: so far");
    assert_int_equal(bed.last.state, TRIAL_RUNNING);
    begins(1, 102);
    assert_int_equal(bed.last.state, TRIAL_FAILED);
    assert_string_equal(
        bed.text, "its new kernel did not come up on n1, which began another boot; last seen: init. n1 gets "
                  "what worked before it");
    GETS(1, 102, DISCOVERY, false);
    ready(1, 102); /* with the discovery kernel: that proves nothing */
    GETS(1, 103, DISCOVERY, false);
}

/* A machine that never had the kernel says nothing of it. */
static void a_trial_without_its_kernel_is_none(void **state)
{
    (void)state;
    have(CLASS, NEW, 0);
    machine(1, CLASS);
    machine(2, CLASS);
    begins(1, 101);
    GETS(1, 101, KERNEL, true);
    begins(1, 102);
    assert_int_equal(bed.last.state, TRIAL_WITHDRAWN);
    assert_string_equal(bed.text,
                        "n1 did not fetch its new kernel; the next machine of the class that boots tries it");
    GETS(2, 201, KERNEL, true);
    GETS(1, 102, DISCOVERY, false);
    pass(WITHIN_S);
    assert_int_equal(bed.last.state, TRIAL_WITHDRAWN);
    GETS(2, 201, KERNEL, true); /* the same boot, in a menu: now it counts anew */
    /* Cut off in the middle is no failure either, unless it happens each time. */
    for (unsigned cut = 1; cut <= 3; cut++) {
        asks(2, 200 + cut);
        begins(2, 201 + cut);
        assert_int_equal(bed.last.state, cut < 3 ? TRIAL_WITHDRAWN : TRIAL_FAILED);
        GETS(2, 201 + cut, cut < 3 ? KERNEL : DISCOVERY, cut < 3);
    }
}

/* The machine's clock begins when its init does, so what we thought late may have been in time. */
static void a_late_ready_proves_it(void **state)
{
    (void)state;
    have(CLASS, NEW, 0);
    machine(1, CLASS);
    machine(2, CLASS);
    GETS(1, 101, KERNEL, true);
    fetches(1, 101);
    pass(WITHIN_S);
    assert_int_equal(bed.last.state, TRIAL_FAILED);
    event(1, 101, EVENT_STAGE, NULL, "network");
    assert_int_equal(bed.last.state, TRIAL_FAILED);
    ready(2, 101 + 1);
    assert_int_equal(bed.last.state, TRIAL_FAILED);
    ready(1, 101);
    assert_int_equal(bed.last.state, TRIAL_PROVEN);
    GETS(2, 200, KERNEL, false);
}

/* Who only looks at what a machine would boot begins nothing, and is told what it got. */
/* The loader fetches another kernel in the same boot: a person chose it in a menu. Its ready proves nothing.
 */
static void another_kernel_in_its_boot_proves_nothing(void **state)
{
    (void)state;
    have(CLASS, NEW, 0);
    machine(1, CLASS);
    begins(1, 100);
    GETS(1, 100, KERNEL, true);
    event(1, 100, EVENT_FILE_START, "g12/kernel/smallest", NULL);
    assert_int_equal(bed.last.state, TRIAL_WITHDRAWN);
    ready(1, 100);
    assert_int_equal(bed.last.state, TRIAL_WITHDRAWN);
    begins(1, 101);
    GETS(1, 101, KERNEL, true);
    fetches(1, 101);
    event(1, 101, EVENT_FILE_START, "g12/unified/default.efi", NULL);
    assert_int_equal(bed.last.state, TRIAL_FAILED);
    assert_string_equal(bed.text,
                        "its new kernel did not come up on n1, where another one was chosen. n1 gets what "
                        "worked before it at its next boot");
    ready(1, 101);
    assert_int_equal(bed.last.state, TRIAL_FAILED);
    struct trial trial = bed.last;
    make_fitted(0, 0); /* the server starts anew */
    fitted_trial(bed.fitted, &bed.now, &trial, WITHIN_S);
    machine(1, CLASS);
    ready(1, 101);
    GETS(1, 101, DISCOVERY, false);
    /* What a kernel fetches that runs is its own affair. */
    have(CLASS, NEWER, 0);
    begins(1, 102);
    GETS(1, 102, KERNEL, true);
    fetches(1, 102);
    event(1, 102, EVENT_STAGE, NULL, "init");
    event(1, 102, EVENT_FILE_START, "g12/kernel/smallest", NULL);
    ready(1, 102);
    assert_int_equal(bed.last.state, TRIAL_PROVEN);
}

/* Hostile: a report that does not name the boot, of the machine that is on trial. */
static void hearsay_proves_nothing(void **state)
{
    (void)state;
    have(CLASS, NEW, 0);
    machine(1, CLASS);
    begins(1, 100);
    GETS(1, 100, KERNEL, true);
    struct event spoofed = {.kind = EVENT_STAGE,
                            .at = bed.now,
                            .mac = mac_of(1),
                            .boot = 100,
                            .hearsay = true,
                            .detail = "ready"};
    fitted_observe(bed.fitted, &spoofed);
    assert_int_equal(bed.last.state, TRIAL_RUNNING);
    fetches(1, 100);
    pass(WITHIN_S);
    fitted_observe(bed.fitted, &spoofed);
    assert_int_equal(bed.last.state, TRIAL_FAILED);
    ready(1, 100);
    assert_int_equal(bed.last.state, TRIAL_PROVEN);
}

/* Hostile: what anybody may have said of machines changes nothing that is known, and nobody is forgotten for
 * it. */
static void hearsay_takes_no_place(void **state)
{
    char hardware_class[MACHINE_CLASS_SIZE];
    struct mac known = mac_of(1), other = mac_of(2);
    (void)state;
    make_fitted(100, 10);
    machine(1, CLASS);
    fitted_hearsay(bed.fitted, &known, OTHER);
    for (unsigned n = 2; n <= 1000; n++) {
        struct mac mac = mac_of(n);
        fitted_hearsay(bed.fitted, &mac, OTHER);
    }
    assert_true(fitted_class(bed.fitted, &known, hardware_class));
    assert_string_equal(hardware_class, CLASS);
    assert_true(fitted_class(bed.fitted, &other, hardware_class));
    machine(2, CLASS); /* which is better known then */
    assert_true(fitted_class(bed.fitted, &other, hardware_class));
    assert_string_equal(hardware_class, CLASS);
}

/* Two threads have something to say of a trial: here the second while the first is at it. */
static void emit_and_be_late(struct event_sink *sink, const struct event *event)
{
    if (event->trial->state == TRIAL_FAILED)
        ready(1, 100);
    emit(sink, event);
}

static void what_happened_is_told_in_order(void **state)
{
    (void)state;
    have(CLASS, NEW, 0);
    machine(1, CLASS);
    begins(1, 100);
    GETS(1, 100, KERNEL, true);
    fetches(1, 100);
    bed.sink.emit = emit_and_be_late;
    unsigned told = bed.told;
    pass(WITHIN_S);
    assert_int_equal(bed.told - told, 2);
    assert_int_equal(bed.last.state, TRIAL_PROVEN); /* what the store has in the end */
    GETS(1, 101, KERNEL, false);
}

/* A person mended what was wrong: the same kernel is tried again. */
static void a_person_lets_it_be_tried_again(void **state)
{
    struct trial trial;
    (void)state;
    machine(1, CLASS);
    machine(2, CLASS);
    assert_int_equal(fitted_retry(bed.fitted, &bed.now, bed.generation, CLASS, &trial), -ENOENT);
    have(CLASS, NEW, 0);
    assert_int_equal(fitted_retry(bed.fitted, &bed.now, bed.generation, CLASS, &trial), -EALREADY);
    assert_string_equal(trial.class, "");
    for (uint64_t boot = 100; boot < 103; boot++) { /* cut off three times */
        begins(1, boot);
        GETS(1, boot, KERNEL, true);
        assert_int_equal(fitted_retry(bed.fitted, &bed.now, bed.generation, CLASS, &trial), -EALREADY);
        assert_int_equal(trial.state, TRIAL_RUNNING);
        asks(1, boot);
        pass(WITHIN_S);
    }
    assert_int_equal(bed.last.state, TRIAL_FAILED);
    begins(1, 103);
    GETS(1, 103, DISCOVERY, false);
    unsigned told = bed.told;
    assert_int_equal(fitted_retry(bed.fitted, &bed.now, bed.generation, CLASS, &trial), 0);
    assert_int_equal(trial.state, TRIAL_WITHDRAWN);
    assert_int_equal(bed.told - told, 1);
    assert_int_equal(bed.last.state, TRIAL_WITHDRAWN); /* so that the store has it */
    assert_int_equal(bed.last.boot, 102);
    ready(1, 102);
    assert_int_equal(bed.last.state, TRIAL_WITHDRAWN);
    begins(2, 200);
    GETS(2, 200, KERNEL, true);
    asks(2, 200);
    pass(WITHIN_S);
    assert_int_equal(bed.last.state, TRIAL_WITHDRAWN); /* it has all its attempts again */
    begins(2, 201);
    GETS(2, 201, KERNEL, true);
    fetches(2, 201);
    ready(2, 201);
    assert_int_equal(fitted_retry(bed.fitted, &bed.now, bed.generation, CLASS, &trial), -EALREADY);
    assert_int_equal(trial.state, TRIAL_PROVEN);
}

/* A machine that is not what it was, or was said to be: the kernel that others of the class came up with does
 * not keep it dark. */
static void a_machine_of_another_make_comes_back(void **state)
{
    struct trial trial;
    (void)state;
    prove(NEW, 100);
    machine(2, CLASS);
    for (uint64_t boot = 200; boot <= 201; boot++) { /* it did not fetch it: that says nothing */
        begins(2, boot);
        GETS(2, boot, KERNEL, false);
        asks(2, boot);
    }
    fetches(2, 201);
    begins(2, 202);
    assert_string_equal(choice_of(2, 202, true).kernel, DISCOVERY);
    unsigned told = bed.told;
    GETS(2, 202, DISCOVERY, false);
    GETS(2, 202, DISCOVERY, false);
    assert_int_equal(bed.told - told, 1);
    assert_string_equal(bed.text,
                        "nothing was heard of n2 with its kernel, which others came up with; it gets the "
                        "discovery kernel for this boot");
    assert_int_equal(bed.about, 202);
    assert_int_equal(bed.last.state, TRIAL_PROVEN);
    ready(2, 202);
    begins(2, 203);
    GETS(2, 203, KERNEL, false); /* somebody may have pulled its plug */
    fetches(2, 203);
    event(2, 203, EVENT_STAGE, NULL, "init");
    begins(2, 204);
    GETS(2, 204, KERNEL, false); /* it came up: what was before is forgotten */
    fetches(2, 204);
    begins(2, 205);
    GETS(2, 205, DISCOVERY, false);
    begins(2, 206);
    GETS(2, 206, KERNEL, false);
    fetches(2, 206);
    struct event spoofed = {
        .kind = EVENT_STAGE, .at = bed.now, .mac = mac_of(2), .boot = 206, .hearsay = true};
    fitted_observe(bed.fitted, &spoofed);
    for (uint64_t boot = 207; boot < 210; boot++) {
        begins(2, boot);
        GETS(2, boot, DISCOVERY, false);
        ready(2, boot);
        GETS(1, boot, KERNEL, false); /* the others have it */
    }
    assert_int_equal(fitted_retry(bed.fitted, &bed.now, bed.generation, CLASS, &trial), 0);
    assert_int_equal(trial.state, TRIAL_PROVEN);
    GETS(2, 210, KERNEL, false);
    assert_int_equal(fitted_retry(bed.fitted, &bed.now, bed.generation, CLASS, &trial), -EALREADY);
    fetches(2, 210);
    GETS(2, 211, DISCOVERY, false);
    machine(2, OTHER); /* it says what it is made of now */
    GETS(2, 212, DISCOVERY, false);
    have(OTHER, NEWER, 0);
    GETS(2, 213, "class-" OTHER, true);
}

static void looking_changes_nothing(void **state)
{
    (void)state;
    have(CLASS, NEW, 0);
    machine(1, CLASS);
    assert_string_equal(choice_of(1, 101, true).kernel, DISCOVERY);
    assert_int_equal(bed.told, 0);
    GETS(1, 101, KERNEL, true); /* looking was no answer to this boot */
    struct fitted_choice choice = choice_of(1, 101, true);
    assert_string_equal(choice.kernel, KERNEL);
    assert_int_equal(choice.trial_s, WITHIN_S);
    fetches(1, 101);
    (void)choice_of(1, 102, true);
    assert_int_equal(bed.last.state, TRIAL_RUNNING);
    ready(1, 101);
    choice = choice_of(1, 101, true);
    assert_int_equal(choice.trial_s, WITHIN_S);
    GETS(1, 101, KERNEL, true); /* that boot was the trial */
}

/* Where another server gives the addresses a boot may have no name: the machine goes by its MAC. */
static void boots_without_a_name_go_by_the_machine(void **state)
{
    (void)state;
    have(CLASS, NEW, 0);
    machine(1, CLASS);
    machine(2, CLASS);
    GETS(1, 0, KERNEL, true);
    GETS(1, 0, KERNEL, true);
    GETS(2, 0, DISCOVERY, false);
    event(1, 0, EVENT_STAGE, NULL, "ready"); /* of what it ran before: it has not the kernel yet */
    assert_int_equal(bed.last.state, TRIAL_RUNNING);
    fetches(2, 0);
    assert_string_equal(bed.last.stage, "told what to boot");
    fetches(1, 0);
    ready(1, 0);
    assert_int_equal(bed.last.state, TRIAL_PROVEN);
    GETS(2, 0, KERNEL, false);
    /* It asks again with the kernel in hand: that is another boot. */
    have(CLASS, NEWER, NEW);
    GETS(1, 0, KERNEL, true);
    fetches(1, 0);
    GETS(1, 0, BEFORE, false);
    assert_int_equal(bed.last.state, TRIAL_FAILED);
    ready(1, 0);
    assert_int_equal(bed.last.state, TRIAL_FAILED); /* came up with the one before */
    /* A boot whose name was forgotten goes on with its trial. */
    have(CLASS, 0x44, NEW);
    begins(1, 105);
    GETS(1, 105, KERNEL, true);
    GETS(1, 0, KERNEL, true);
    assert_int_equal(bed.last.state, TRIAL_RUNNING);
    GETS(1, 106, KERNEL, true); /* that one never had it */
}

/* The server ends in the middle of a trial, and another one goes on with what the store has. */
static void restart(unsigned seconds)
{
    struct trial trial = bed.last;
    make_fitted(0, 0);
    bed.now.mono_us = 7 * SECOND; /* another boot of our own machine */
    bed.now.unix_us += (int64_t)(seconds * SECOND);
    machine(1, CLASS);
    machine(2, CLASS);
    fitted_trial(bed.fitted, &bed.now, &trial, WITHIN_S);
}

static void a_trial_outlives_the_server(void **state)
{
    (void)state;
    have(CLASS, NEW, 0);
    machine(1, CLASS);
    GETS(1, 101, KERNEL, true);
    restart(100);
    GETS(1, 101, KERNEL, true);
    GETS(2, 200, DISCOVERY, false);
    begins(1, 102); /* it never had the kernel */
    assert_int_equal(bed.last.state, TRIAL_WITHDRAWN);
    GETS(1, 102, KERNEL, true);
    fetches(1, 102);
    restart(100);
    pass(199);
    assert_int_equal(bed.last.state, TRIAL_RUNNING);
    pass(1);
    assert_int_equal(bed.last.state, TRIAL_FAILED);
    restart(100);
    GETS(1, 103, DISCOVERY, false);
    ready(1, 102); /* it had come up, and told us now */
    assert_int_equal(bed.last.state, TRIAL_PROVEN);
    restart(0);
    GETS(1, 104, KERNEL, false);
    /* Over while we were away; and a calendar that was put back gives it no more than its time. */
    have(CLASS, NEWER, 0);
    GETS(1, 105, KERNEL, true);
    fetches(1, 105);
    restart(WITHIN_S + 1000);
    fitted_tick(bed.fitted, &bed.now);
    assert_int_equal(bed.last.state, TRIAL_FAILED);
    have(CLASS, 0x44, 0);
    GETS(1, 106, KERNEL, true);
    fetches(1, 106);
    bed.now.unix_us -= 86400 * (int64_t)SECOND;
    restart(0);
    pass(WITHIN_S - 1);
    assert_int_equal(bed.last.state, TRIAL_RUNNING);
    begins(1, 107);
    assert_int_equal(bed.last.state, TRIAL_FAILED);
}

/* A generation that is published in the middle of a boot. */
static void another_generation_meanwhile(void **state)
{
    (void)state;
    prove(OLD, 100);
    GETS(1, 101, KERNEL, false);
    have(CLASS, NEW, OLD);
    GETS(1, 101, BEFORE, false); /* the same kernel, under its name there */
    GETS(1, 102, KERNEL, true);
    have(CLASS, NEWER, OLD); /* without the one on trial: it is no more */
    GETS(1, 102, KERNEL, true);
    struct digest newer;
    memset(newer.b, NEWER, sizeof(newer.b));
    assert_true(digest_equal(&bed.last.kernel, &newer) && bed.last.state == TRIAL_RUNNING);
    assert_int_equal(bed.told, 5); /* the first two, the second that was withdrawn, the third */
    have(CLASS, 0, 0);
    GETS(1, 102, DISCOVERY, false);
}

static void tables_are_bounded(void **state)
{
    char hardware_class[MACHINE_CLASS_SIZE];
    struct mac first = mac_of(1), last = mac_of(200);
    (void)state;
    make_fitted(100, 10);
    for (unsigned n = 1; n <= 200; n++) {
        snprintf(hardware_class, sizeof(hardware_class), "%012x", n);
        machine(n, hardware_class);
    }
    assert_false(fitted_class(bed.fitted, &first, hardware_class));
    assert_true(fitted_class(bed.fitted, &last, hardware_class));
    assert_string_equal(hardware_class, "0000000000c8");
    for (unsigned n = 150; n <= 200; n++) {
        snprintf(hardware_class, sizeof(hardware_class), "%012x", n);
        have(hardware_class, NEW, 0);
        assert_int_equal(choice_of(n, n, false).trial_s, WITHIN_S);
    }
    /* One that runs makes room only when all do. */
    fetches(200, 200);
    snprintf(hardware_class, sizeof(hardware_class), "%012x", 150);
    assert_int_equal(choice_of(150, 1150, false).trial_s, WITHIN_S); /* forgotten, so tried again */
    unsigned told = bed.told;
    pass(WITHIN_S);
    assert_int_equal(bed.told - told, 10);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(one_tries_and_then_all_have_it),
        TEST(a_kernel_that_does_not_come_up_is_taken_back),
        TEST(another_boot_before_ready_is_a_failure),
        TEST(a_trial_without_its_kernel_is_none),
        TEST(a_late_ready_proves_it),
        TEST(another_kernel_in_its_boot_proves_nothing),
        TEST(hearsay_proves_nothing),
        TEST(hearsay_takes_no_place),
        TEST(what_happened_is_told_in_order),
        TEST(a_person_lets_it_be_tried_again),
        TEST(a_machine_of_another_make_comes_back),
        TEST(looking_changes_nothing),
        TEST(boots_without_a_name_go_by_the_machine),
        TEST(a_trial_outlives_the_server),
        TEST(another_generation_meanwhile),
        TEST(tables_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
