/* serve/fitted, serve/trials and what describe makes of them: which kernel a machine of a class boots, and
 * what becomes of one that nobody has come up with yet. */
#include "serve_fixture.h"

#include "model/class_kernel.h"
#include "serve/files.h"
#include "serve/fitted.h"

#include <errno.h>
#include <pthread.h>

#define SECOND    UINT64_C(1000000)
#define WITHIN_S  300
#define CLASS     "0123456789ab"
#define OTHER     "ba9876543210"
#define KERNEL    "class-" CLASS
#define BEFORE    KERNEL ".before"
#define OLD       0x11 /* the byte that a kernel's digest is made of */
#define NEW       0x22
#define NEWER     0x33
#define DISCOVERY ""

struct bed {
    struct event_sink sink;
    struct fitted *fitted;
    struct generation *generation;
    struct moment now;
    unsigned told;                  /* EVENT_TRIAL with words */
    uint64_t about;                 /* the boot of the last one of all */
    struct trial last;              /* the last one of all */
    char text[256], stored[32][24]; /* its words; the stage of each that the store gets */
    unsigned stored_n;
};
static struct bed bed;

static struct mac mac_of(unsigned n)
{
    return (struct mac){{0x52, 0x54, 0, 0, (uint8_t)(n >> 8), (uint8_t)n}};
}

static void emit(struct event_sink *sink, const struct event *event)
{
    (void)sink;
    assert_int_equal(event->kind, EVENT_TRIAL);
    bed.about = event->boot;
    bed.last = *event->trial;
    snprintf(bed.stored[bed.stored_n++ % ARRAY_SIZE(bed.stored)], sizeof(bed.stored[0]), "%s",
             event->trial->stage);
    if (event->detail) {
        bed.told++;
        snprintf(bed.text, sizeof(bed.text), "%s", event->detail);
    }
}

static void make_fitted(size_t machines, size_t trials)
{
    fitted_free(bed.fitted);
    bed.fitted = fitted_new(&(struct fitted_config){
        .machines = machines, .trials = trials, .random = counting_random, .sink = &bed.sink});
    assert_non_null(bed.fitted);
}

static int setup(void **state)
{
    (void)state;
    bed = (struct bed){.sink = {emit}, .now = {.mono_us = 1000 * SECOND, .unix_us = 5000 * (int64_t)SECOND}};
    make_fitted(0, 0);
    struct site *site = fixture_site(UNKNOWN_DENY);
    struct profile *profile = &site->profiles.items[0];
    profile->fitted = true;
    profile->ready_within_s = WITHIN_S;
    bed.generation = fixture_generation(12, site);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fitted_free(bed.fitted);
    generation_unref(bed.generation);
    return 0;
}

/* Gives the generation these kernels of the class; 0: none. */
static void have(const char *hardware_class, uint8_t now, uint8_t before)
{
    const uint8_t bytes[] = {now, before};
    for (size_t i = 0; i < 2; i++) {
        char name[ARTIFACT_NAME_MAX];
        class_kernel_format(hardware_class, i, name);
        VEC_EACH(artifact, &bed.generation->artifacts)
            if (str_eq(artifact->name, name))
                artifact->name[0] = '-'; /* under no name that anybody asks for */
        if (!bytes[i])
            continue;
        struct generation_artifact *a = VEC_ADD(&bed.generation->artifacts);
        *a = (struct generation_artifact){.kind = ARTIFACT_KERNEL, .name = xstrdup(name)};
        memset(a->digest.b, bytes[i], sizeof(a->digest.b));
    }
}

/* A machine whose class is known, of its number. */
static void machine(unsigned n, const char *hardware_class)
{
    struct mac mac = mac_of(n);
    fitted_machine(bed.fitted, &mac, 0, hardware_class);
}

static struct fitted_choice choice_of(unsigned n, uint64_t boot, bool looks)
{
    struct fitted_choice choice;
    char name[16];
    snprintf(name, sizeof(name), "n%u", n);
    fitted_kernel(bed.fitted, &bed.now,
                  &(struct fitted_request){.generation = bed.generation,
                                           .mac = mac_of(n),
                                           .boot = boot,
                                           .node = name,
                                           .within_s = WITHIN_S,
                                           .looks = looks},
                  &choice);
    return choice;
}

/* Machine n, in this boot, is told this kernel, as a trial or not. */
#define GETS(n, boot, kernel_, trial)                                                                        \
    do {                                                                                                     \
        struct fitted_choice choice_ = choice_of(n, boot, false);                                            \
        assert_string_equal(choice_.kernel, kernel_);                                                        \
        assert_int_equal(choice_.trial_s, (trial) ? WITHIN_S : 0);                                           \
    } while (0)

static void event(unsigned n, uint64_t boot, enum event_kind kind, const char *file, const char *detail)
{
    fitted_observe(
        bed.fitted,
        &(struct event){
            .kind = kind, .at = bed.now, .mac = mac_of(n), .boot = boot, .file = file, .detail = detail});
}

static void begins(unsigned n, uint64_t boot)
{
    event(n, boot, EVENT_BOOT, NULL, "g12");
}
static void asks(unsigned n, uint64_t boot)
{
    event(n, boot, EVENT_FILE_START, "g12/kernel/" KERNEL, NULL);
}
static void fetches(unsigned n, uint64_t boot)
{
    asks(n, boot);
    event(n, boot, EVENT_FILE_END, "g12/kernel/" KERNEL, NULL);
}
static void ready(unsigned n, uint64_t boot)
{
    event(n, boot, EVENT_STAGE, NULL, "ready");
}

static void pass(unsigned seconds)
{
    bed.now.mono_us += seconds * SECOND;
    bed.now.unix_us += (int64_t)(seconds * SECOND);
    fitted_tick(bed.fitted, &bed.now);
}

/* Machine 1 brings this kernel of the class to ready, in this boot. */
static void prove(uint8_t kernel, uint64_t boot)
{
    have(CLASS, kernel, 0);
    machine(1, CLASS);
    begins(1, boot);
    GETS(1, boot, KERNEL, true);
    fetches(1, boot);
    ready(1, boot);
    assert_int_equal(bed.last.state, TRIAL_PROVEN);
}

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

/* Every way to ask names the same kernel, and the trial is on the command line. */

static struct generation *get_generation(void *user, unsigned number)
{
    (void)user;
    (void)number;
    return generation_ref(bed.generation);
}

static uint64_t begin_boot(struct boot_table *boots)
{
    uint64_t boot = boot_table_discover(boots, &bed.now, &n1_mac, "n1", "default", 12);
    boot_table_assign(boots, &bed.now, boot, N1_IP, 12);
    return boot;
}

static void assert_config(struct files *files, const char *name, int format, const char *kernel, bool trial)
{
    struct file_request request = {.name = name, .from = N1_IP, .local = SERVER, .http = format >= 0};
    struct file_answer answer;
    const char *reason = "";
    int r = format < 0 ? files_open(files, &bed.now, &request, &answer, &reason)
                       : files_open_boot(files, &bed.now, &request, (enum boot_format)format,
                                         "01-52-54-00-00-00-01", &answer, &reason);
    assert_string_equal(r == 0 ? "" : reason, "");
    cleanup_free char *text = xstrndup((const char *)answer.file->data, answer.file->size);
    served_file_unref(answer.file);
    cleanup_free char *path = xasprintf("g12/kernel/%s", kernel);
    const char *found = strstr(text, path);
    assert_non_null(found);
    assert_non_null(strchr(" \n\"'", found[strlen(path)]));
    assert_int_equal(strstr(text, "trial=300") != NULL, trial);
    assert_int_equal(strstr(text, "g12/modules/") != NULL, str_eq(kernel, "smallest"));
}

static void every_way_to_ask_has_the_same_answer(void **state)
{
    static const struct {
        const char *name;
        int format; /* -1: by its name */
    } ways[] = {{"pxelinux.cfg/01-52-54-00-00-00-01", -1},
                {"grub.cfg", -1},
                {"boot", BOOT_PIXIECORE},
                {"ipxe", BOOT_IPXE},
                {"x", BOOT_GRUB},
                {"x", BOOT_PXELINUX},
                {"pxelinux.cfg/default", -1},
                {"grub/grub.cfg", -1}};
    static struct events events;
    struct counters counters = {0};
    (void)state;
    events.sink.emit = events_emit;
    struct boot_table *boots = boot_table_new(&(struct boot_table_config){
        .capacity = 100, .random = counting_random, .sink = &events.sink, .counters = &counters});
    struct files *files = files_new(&(struct files_config){
        .artifacts_fd = -1, .generations = {get_generation, NULL}, .boots = boots, .fitted = bed.fitted});
    /* The discovery kernel has modules, which a kernel that was fitted has not. */
    struct kernel_def *def = VEC_ADD(&bed.generation->site->kernels);
    *def = (struct kernel_def){.name = xstrdup("smallest")};
    VEC_PUSH(&def->modules, xstrdup("network"));
    add_artifact(bed.generation, ARTIFACT_MODULES, 0xdd);
    have(CLASS, NEW, 0);
    for (size_t first = 0; first < ARRAY_SIZE(ways); first++) {
        uint64_t boot = begin_boot(boots);
        make_fitted(0, 0);
        files_free(files);
        files = files_new(&(struct files_config){
            .artifacts_fd = -1, .generations = {get_generation, NULL}, .boots = boots, .fitted = bed.fitted});
        assert_config(files, ways[first].name, ways[first].format, "smallest", false);
        fitted_machine(bed.fitted, &n1_mac, boot, CLASS); /* it told us, in this very boot */
        for (size_t i = 0; i < ARRAY_SIZE(ways); i++)
            assert_config(files, ways[i].name, ways[i].format, "smallest", false);
        boot_table_observe(
            boots, &(struct event){.kind = EVENT_STAGE, .at = bed.now, .boot = boot, .detail = "ready"});
        boot = begin_boot(boots);
        for (size_t i = first; i < first + ARRAY_SIZE(ways); i++)
            assert_config(files, ways[i % ARRAY_SIZE(ways)].name, ways[i % ARRAY_SIZE(ways)].format, KERNEL,
                          true);
        fetches(1, boot);
        ready(1, boot);
        boot_table_observe(
            boots, &(struct event){.kind = EVENT_STAGE, .at = bed.now, .boot = boot, .detail = "ready"});
        (void)begin_boot(boots);
        for (size_t i = 0; i < ARRAY_SIZE(ways); i++)
            assert_config(files, ways[i].name, ways[i].format, KERNEL, false);
        /* Up: whoever asks now only wants to know, so that no trial begins, also not of a newer kernel. */
        struct boot up;
        assert_true(boot_table_by_mac(boots, &n1_mac, &up, NULL));
        boot_table_observe(
            boots, &(struct event){.kind = EVENT_STAGE, .at = bed.now, .boot = up.id, .detail = "init"});
        have(CLASS, NEWER, 0);
        unsigned told = bed.told;
        assert_config(files, ways[first].name, ways[first].format, "smallest", false);
        assert_int_equal(bed.told, told);
        have(CLASS, NEW, 0);
        boot_table_observe(
            boots, &(struct event){.kind = EVENT_STAGE, .at = bed.now, .boot = up.id, .detail = "ready"});
    }
    files_free(files);
    boot_table_free(boots);
}

/* What stands beside it on the command line decides whether it fits: P-row of the longest one. */
static void the_trial_counts_for_the_length(void **state)
{
    struct profile *profile = &bed.generation->site->profiles.items[0];
    struct boot_description d;
    (void)state;
    struct boot_client client = {.node = site_node_by_name(bed.generation->site, "n1"),
                                 .ip = N1_IP,
                                 .mac = n1_mac,
                                 .boot = 77,
                                 .arch = ARCH_UNKNOWN,
                                 .fitted = bed.fitted,
                                 .now = &bed.now};
    have(CLASS, NEW, 0);
    assert_int_equal(boot_describe(bed.generation, &client, &d), 0);
    size_t n = strlen(d.cmdline);
    free(profile->cmdline);
    profile->cmdline = xcalloc(1, CMDLINE_MAX_SIZE);
    memset(profile->cmdline, 'x', CMDLINE_MAX_SIZE - 1 - n - 1);
    assert_int_equal(boot_describe(bed.generation, &client, &d), 0);
    fitted_machine(bed.fitted, &n1_mac, 0, CLASS);
    client.boot = 78;
    assert_int_equal(boot_describe(bed.generation, &client, &d), -E2BIG);
    profile->cmdline[CMDLINE_MAX_SIZE - 1 - n - 1 - strlen(" panic=10 trial=300")] = '\0';
    assert_int_equal(boot_describe(bed.generation, &client, &d), 0);
    assert_int_equal(d.trial_s, 300);
    client.arch = ARCH_ARM64; /* no class kernel is for it, and here nothing is */
    assert_int_equal(boot_describe(bed.generation, &client, &d), -ENODEV);
}

/* What a menu offers is no trial, though it names what is proven. */
static void a_menu_begins_no_trial(void **state)
{
    struct site *site = bed.generation->site;
    struct profile *guest = &site->profiles.items[1];
    struct boot_description d;
    (void)state;
    assert_string_equal(guest->name, "guest");
    guest->menu.shown = true;
    struct menu_entry *entry = VEC_ADD(&guest->menu.entries);
    *entry = (struct menu_entry){.title = xstrdup("The fitted one"), .profile = xstrdup("default")};
    free(site->nodes.items[0].profile);
    site->nodes.items[0].profile = xstrdup("guest");
    site->nodes.items[0].has_profile = true;
    struct boot_client client = {.node = site_node_by_name(site, "n1"),
                                 .ip = N1_IP,
                                 .mac = n1_mac,
                                 .boot = 77,
                                 .arch = ARCH_X86_64,
                                 .fitted = bed.fitted,
                                 .now = &bed.now};
    have(CLASS, NEW, 0);
    fitted_machine(bed.fitted, &n1_mac, 0, CLASS);
    for (int proven = 0; proven < 2; proven++) {
        assert_int_equal(boot_describe(bed.generation, &client, &d), 0);
        assert_string_equal(d.kernel, "g12/kernel/smallest");
        assert_int_equal(d.menu->n, 1);
        assert_string_equal(d.menu->items[0].boot.kernel,
                            proven ? "g12/kernel/" KERNEL : "g12/kernel/smallest");
        assert_null(strstr(d.menu->items[0].boot.cmdline, "trial="));
        boot_description_clear(&d);
        if (!proven) {
            assert_int_equal(bed.told, 0);
            machine(9, CLASS);
            GETS(9, 900, KERNEL, true);
            fetches(9, 900);
            ready(9, 900);
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
        TEST(any_sequence_keeps_the_promises),
        TEST(every_way_to_ask_has_the_same_answer),
        TEST(the_trial_counts_for_the_length),
        TEST(a_menu_begins_no_trial),
        TEST(threads_share_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
