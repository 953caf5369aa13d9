/* See daemon/learning.h. */
#include "daemon/learning.h"
#include "base/str.h"

#include <stdlib.h>

struct learning {
    struct learning_config config;
    struct fitted *fitted;
};

struct learning *learning_new(const struct learning_config *config)
{
    struct learning *l = calloc(1, sizeof(*l));
    if (!l)
        return NULL;
    l->config = *config;
    l->fitted = fitted_new(&(struct fitted_config){.random = config->random, .sink = config->sink});
    if (!l->fitted) {
        free(l);
        return NULL;
    }
    return l;
}

void learning_free(struct learning *l)
{
    if (!l)
        return;
    fitted_free(l->fitted);
    free(l);
}

struct fitted *learning_fitted(struct learning *l)
{
    return l->fitted;
}

struct artifact_source learning_source(struct learning *l, const struct artifact_source *source)
{
    return (struct artifact_source){
        .find = source->find, .user = source->user, .proven = fitted_proven, .proven_user = l->fitted};
}

/* Kernels of classes are made for x86_64 alone. The text is our own (machine_to_json), in which a quotation
 * mark within a text has a backslash before it; to parse the whole would take seconds of a start. */
static bool is_x86(const char *machine_json)
{
    return machine_json && strstr(machine_json, "\"arch\":\"x86_64\"");
}

/* ---- the start ---- */

/* A machine of the store that told its boot. */
struct known {
    struct mac mac;
    char class[MACHINE_CLASS_SIZE];
    int64_t at_us;
};

struct loading {
    struct learning *learning;
    const struct moment *now;
    const struct site *site;
    VEC(struct known) machines;
    VEC(struct trial) trials;
};

static int load_machine(void *user, const struct store_machine *machine)
{
    struct loading *loading = user;
    if (!machine->boot || !is_machine_class(machine->class) || !is_x86(machine->json))
        return 0;
    struct known *known = VEC_ADD(&loading->machines);
    *known = (struct known){.mac = machine->mac, .at_us = machine->at_us};
    memcpy(known->class, machine->class, sizeof(known->class));
    return 0;
}

static int by_report(const void *a, const void *b)
{
    int64_t x = ((const struct known *)a)->at_us, y = ((const struct known *)b)->at_us;
    return x < y ? -1 : x > y;
}

/* Those that reported last are the last to be forgotten. */
static void learn_machines(struct loading *loading)
{
    if (loading->machines.n)
        qsort(loading->machines.items, loading->machines.n, sizeof(struct known), by_report);
    VEC_EACH(known, &loading->machines)
        fitted_machine(loading->learning->fitted, &known->mac, 0, known->class);
    VEC_FREE(&loading->machines);
}

/* What a trial of this machine has to ready: its profile's, or the longest of all where it is not known. */
static uint32_t ready_within(const struct site *site, const struct mac *mac)
{
    const struct node *node = site ? site_node_by_mac(site, mac) : NULL;
    const struct profile *own = node ? site_profile(site, node->profile) : NULL;
    uint32_t longest = 0;
    if (own && own->fitted)
        return own->ready_within_s;
    if (site)
        VEC_EACH(profile, &site->profiles)
            if (profile->fitted && profile->ready_within_s > longest)
                longest = profile->ready_within_s;
    return longest ? longest : READY_WITHIN_DEFAULT;
}

static int load_trial(void *user, const struct trial *trial)
{
    struct loading *loading = user;
    if (is_machine_class(trial->class))
        VEC_PUSH(&loading->trials, *trial);
    return 0;
}

static int by_begin(const void *a, const void *b)
{
    int64_t x = ((const struct trial *)a)->begun_us, y = ((const struct trial *)b)->begun_us;
    return x < y ? -1 : x > y;
}

static void learn_trials(struct loading *loading)
{
    if (loading->trials.n)
        qsort(loading->trials.items, loading->trials.n, sizeof(struct trial), by_begin);
    VEC_EACH(trial, &loading->trials)
        fitted_trial(loading->learning->fitted, loading->now, trial,
                     ready_within(loading->site, &trial->mac));
    VEC_FREE(&loading->trials);
}

int learning_load(struct learning *l, struct store *store, const struct moment *now, const struct site *site)
{
    struct loading loading = {.learning = l, .now = now, .site = site};
    int r = store_each_machine(store, load_machine, &loading);
    if (r == 0)
        r = store_each_trial(store, load_trial, &loading);
    learn_machines(&loading);
    learn_trials(&loading);
    return r;
}

/* ---- what is heard ---- */

/* Anybody can send a report. One that names no boot is believed only of a machine that has none, and only as
 * hearsay: such a machine does not get its boots from us, so we gave it no name to tell. */
static void hear_hardware(struct learning *l, const struct event *event)
{
    static const struct mac none;
    struct boot boot = {0};
    if (mac_equal(&event->mac, &none) || !is_x86(event->json) || !is_machine_class(event->class))
        return;
    bool boots = boot_table_by_mac(l->config.boots, &event->mac, &boot, NULL);
    if (boots && (event->hearsay || event->boot != boot.id))
        return;
    if (boots)
        fitted_machine(l->fitted, &event->mac, event->boot, event->class);
    else
        fitted_hearsay(l->fitted, &event->mac, event->class);
}

void learning_observe(struct learning *l, const struct event *event)
{
    if (event->kind == EVENT_HARDWARE)
        hear_hardware(l, event);
    else
        fitted_observe(l->fitted, event);
}

void learning_tick(struct learning *l, const struct moment *now)
{
    fitted_tick(l->fitted, now);
}
