/* See cli/last_boot.h. */
#include "cli/last_boot.h"
#include "base/str.h"
#include "model/generation.h"
#include "serve/boot.h"

#include <stdio.h>

struct store *last_boot_store(const char *state_dir)
{
    cleanup_diags struct diags unsaid = {0};
    cleanup_free char *path = xasprintf("%s/rambox.db", state_dir);
    struct store *store = NULL;
    return store_open_reader(path, &unsaid, &store) == 0 ? store : NULL;
}

static int take_boot(void *user, const struct boot *boot)
{
    struct last_boot *last = user;
    last->boot = *boot;
    return 0;
}

/* `g12/kernel/smallest, 1.6 MB in 0.123 s`. */
static void take_file(struct last_boot *last, const char *detail)
{
    char path[ARTIFACT_PATH_MAX], name[ARTIFACT_NAME_MAX];
    enum artifact_kind kind;
    unsigned generation;
    size_t n = strcspn(detail, ",");
    snprintf(path, sizeof(path), "%.*s", (int)(n < sizeof(path) ? n : sizeof(path) - 1), detail);
    if (artifact_path_parse(path, &generation, &kind, name) == 0 && kind == ARTIFACT_KERNEL)
        memcpy(last->kernel, name, sizeof(name));
}

static int take_event(void *user, const struct boot_event *event)
{
    struct last_boot *last = user;
    if (str_eq(event->what, "trial"))
        return 0; /* what came of it is the trial's */
    snprintf(last->stage, sizeof(last->stage), "%s", event->what);
    if (str_eq(event->what, "file"))
        take_file(last, event->detail);
    return 0;
}

static int take_trial(void *user, const struct trial *trial)
{
    struct last_boot *last = user;
    if (trial->boot == last->boot.id && trial->state != TRIAL_WITHDRAWN) {
        last->trial = *trial;
        last->tried = true;
    }
    return 0;
}

bool last_boot_read(struct store *store, const char *node, struct last_boot *ret_boot)
{
    struct last_boot last = {0};
    if (!store || store_each_boot(store, node, 1, take_boot, &last) < 0 || !last.boot.id)
        return false;
    (void)store_each_boot_event(store, last.boot.id, take_event, &last);
    (void)store_each_trial(store, take_trial, &last);
    *ret_boot = last;
    return true;
}

void last_boot_print(const struct last_boot *last)
{
    char when[WHEN_TEXT_MAX];
    static const char *const words[] = {
        [TRIAL_RUNNING] = "its first boot: the trial runs",
        [TRIAL_PROVEN] = "its first boot: proven",
        [TRIAL_FAILED] = "its first boot: failed",
    };
    if (!last)
        return;
    printf("booted   %s, generation %u, last seen: %s\n", time_format(last->boot.started_us / 1000000, when),
           last->boot.generation, last->stage[0] ? last->stage : "its DISCOVER");
    if (last->kernel[0] && last->tried)
        printf("kernel   %s (%s)\n", last->kernel, words[last->trial.state]);
    else if (last->kernel[0])
        printf("kernel   %s\n", last->kernel);
}

json_t *last_boot_to_json(const struct last_boot *last)
{
    char id[BOOT_ID_TEXT_MAX], when[WHEN_TEXT_MAX];
    return json_pack("{s:s, s:s, s:I, s:s?, s:s?, s:s?}", "boot", boot_id_format(last->boot.id, id),
                     "started", iso_format(last->boot.started_us / 1000000, when), "generation",
                     (json_int_t)last->boot.generation, "stage", last->stage[0] ? last->stage : NULL,
                     "kernel", last->kernel[0] ? last->kernel : NULL, "trial",
                     last->tried ? trial_state_name(last->trial.state) : NULL);
}
