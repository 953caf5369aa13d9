/* A table of fitted kernels, a generation whose first profile is fitted, and machines that boot. */
#pragma once

#include "serve_fixture.h"

#include "model/class_kernel.h"
#include "serve/fitted.h"

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

static inline struct mac mac_of(unsigned n)
{
    return (struct mac){{0x52, 0x54, 0, 0, (uint8_t)(n >> 8), (uint8_t)n}};
}

static inline void emit(struct event_sink *sink, const struct event *event)
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

static inline void make_fitted(size_t machines, size_t trials)
{
    fitted_free(bed.fitted);
    bed.fitted = fitted_new(&(struct fitted_config){
        .machines = machines, .trials = trials, .random = counting_random, .sink = &bed.sink});
    assert_non_null(bed.fitted);
}

static inline int setup(void **state)
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

static inline int teardown(void **state)
{
    (void)state;
    fitted_free(bed.fitted);
    generation_unref(bed.generation);
    return 0;
}

/* Gives the generation these kernels of the class; 0: none. */
static inline void have(const char *hardware_class, uint8_t now, uint8_t before)
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
static inline void machine(unsigned n, const char *hardware_class)
{
    struct mac mac = mac_of(n);
    fitted_machine(bed.fitted, &mac, 0, hardware_class);
}

static inline struct fitted_choice choice_of(unsigned n, uint64_t boot, bool looks)
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

static inline void event(unsigned n, uint64_t boot, enum event_kind kind, const char *file,
                         const char *detail)
{
    fitted_observe(
        bed.fitted,
        &(struct event){
            .kind = kind, .at = bed.now, .mac = mac_of(n), .boot = boot, .file = file, .detail = detail});
}

static inline void begins(unsigned n, uint64_t boot)
{
    event(n, boot, EVENT_BOOT, NULL, "g12");
}
static inline void asks(unsigned n, uint64_t boot)
{
    event(n, boot, EVENT_FILE_START, "g12/kernel/" KERNEL, NULL);
}
static inline void fetches(unsigned n, uint64_t boot)
{
    asks(n, boot);
    event(n, boot, EVENT_FILE_END, "g12/kernel/" KERNEL, NULL);
}
static inline void ready(unsigned n, uint64_t boot)
{
    event(n, boot, EVENT_STAGE, NULL, "ready");
}

static inline void pass(unsigned seconds)
{
    bed.now.mono_us += seconds * SECOND;
    bed.now.unix_us += (int64_t)(seconds * SECOND);
    fitted_tick(bed.fitted, &bed.now);
}

/* Machine 1 brings this kernel of the class to ready, in this boot. */
static inline void prove(uint8_t kernel, uint64_t boot)
{
    have(CLASS, kernel, 0);
    machine(1, CLASS);
    begins(1, boot);
    GETS(1, boot, KERNEL, true);
    fetches(1, boot);
    ready(1, boot);
    assert_int_equal(bed.last.state, TRIAL_PROVEN);
}
