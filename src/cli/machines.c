/* See cli/machines.h. */
#include "cli/machines.h"
#include "base/str.h"
#include "model/class_kernel.h"
#include "model/generation.h"

#include <stdio.h>

void seen_machines_free(struct seen_machines *machines)
{
    VEC_EACH(m, &machines->list)
        free(m->json);
    VEC_FREE(&machines->list);
    VEC_FREE(&machines->trials);
}

struct reading {
    const struct seen_wanted *wanted;
    struct seen_machines *machines;
    size_t newest; /* place of the newest of the class at hand */
};

/* They come by class: of one, the machine that reported last keeps its hardware. */
static bool is_newest(struct reading *reading, const struct store_machine *m)
{
    VEC_EACH(seen, &reading->machines->list) {
        if (seen != reading->machines->list.items + reading->newest || !str_eq(seen->class, m->class))
            continue;
        if (seen->at_us >= m->at_us)
            return false;
        free(TAKE_PTR(seen->json));
    }
    reading->newest = reading->machines->list.n;
    return true;
}

static int add_machine(void *user, const struct store_machine *m)
{
    struct reading *reading = user;
    const struct seen_wanted *wanted = reading->wanted;
    bool keeps = (wanted->class && str_eq(wanted->class, m->class)) ||
                 (wanted->mac && mac_equal(wanted->mac, &m->mac)) ||
                 (wanted->newest && is_newest(reading, m));
    struct seen_machine *seen = VEC_ADD(&reading->machines->list);
    *seen = (struct seen_machine){
        .mac = m->mac, .at_us = m->at_us, .boot = m->boot, .json = keeps ? xstrdup(m->json) : NULL};
    memcpy(seen->node, m->node, sizeof(seen->node));
    memcpy(seen->class, m->class, sizeof(seen->class));
    return 0;
}

static int add_trial(void *user, const struct trial *trial)
{
    struct seen_machines *machines = user;
    VEC_PUSH(&machines->trials, *trial);
    return 0;
}

int seen_machines_read(const struct context *context, const char *state_dir, const struct seen_wanted *wanted,
                       struct seen_machines *ret_machines)
{
    bool none = false;
    CLEANUP(store_close) struct store *store = open_reader(context, state_dir, &none);
    if (!store)
        return !none;
    int r = store_each_machine(store, add_machine, &(struct reading){wanted, ret_machines, 0});
    if (r == 0)
        r = store_each_trial(store, add_trial, ret_machines);
    if (r < 0)
        fprintf(stderr, "rambox: error: cannot read the store in %s: %s\n", state_dir, strerror(-r));
    return r < 0;
}

int seen_machine_parse(const struct seen_machine *seen, struct machine *ret_machine)
{
    char error[MACHINE_ERROR_MAX], mac[MAC_TEXT_MAX];
    json_t *object = json_loads(seen->json, 0, NULL);
    int r = machine_parse(object, ret_machine, error, sizeof(error));
    json_decref(object);
    if (r < 0)
        fprintf(stderr, "rambox: error: what the store has of %s is no hardware: %s\n",
                mac_format(&seen->mac, mac), error);
    return r < 0;
}

const char *class_kernel_state(const struct seen_machines *machines, const struct generation *generation,
                               const char *class, const struct trial **ret_trial)
{
    char name[ARTIFACT_NAME_MAX];
    const struct generation_artifact *kernel =
        generation ? generation_artifact(generation, ARTIFACT_KERNEL, class_kernel_format(class, false, name))
                   : NULL;
    *ret_trial = NULL;
    if (!kernel)
        return "none";
    VEC_EACH(trial, &machines->trials)
        if (str_eq(trial->class, class) && digest_equal(&trial->kernel, &kernel->digest)) {
            *ret_trial = trial->state == TRIAL_WITHDRAWN ? NULL : trial; /* nobody had it */
            return *ret_trial ? trial_state_name(trial->state) : "built";
        }
    return "built";
}
