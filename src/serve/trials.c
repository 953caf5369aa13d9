/* See serve/trials.h. */
#include "serve/trials.h"
#include "base/str.h"
#include "model/class_kernel.h"
#include "model/generation.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* The stages of a trial that are no stage of init, as people and the store see them. After a restart they
 * also tell whether the machine has the kernel. */
#define STAGE_TOLD  "told what to boot"
#define STAGE_ASKED "kernel asked for"
#define STAGE_HAD   "kernel fetched"
#define STAGE_RAM   "image fetched"
#define STAGE_OTHER "another kernel chosen"

void trials_clear(struct trials *t)
{
    for (struct trial_entry *e = t->oldest, *next; e; e = next) {
        next = e->newer;
        free(e);
    }
    *t = (struct trials){.capacity = t->capacity};
}

struct trial_entry *trials_find(const struct trials *t, const char *hardware_class,
                                const struct digest *kernel)
{
    for (struct trial_entry *e = t->newest; e; e = e->older)
        if (digest_equal(&e->trial.kernel, kernel) && str_eq(e->trial.class, hardware_class))
            return e;
    return NULL;
}

struct trial_entry *trials_running_of(const struct trials *t, const struct mac *mac)
{
    if (t->running)
        for (struct trial_entry *e = t->newest; e; e = e->older)
            if (e->trial.state == TRIAL_RUNNING && mac_equal(&e->trial.mac, mac))
                return e;
    return NULL;
}

struct trial_entry *trials_overdue(const struct trials *t, const struct moment *now)
{
    if (t->running)
        for (struct trial_entry *e = t->newest; e; e = e->older)
            if (e->trial.state == TRIAL_RUNNING && now->mono_us >= e->deadline_us)
                return e;
    return NULL;
}

/* ---- the table ---- */

static void count(struct trials *t, const struct trial_entry *e, int by)
{
    t->running += e->trial.state == TRIAL_RUNNING ? (size_t)by : 0;
    t->failed += e->trial.state == TRIAL_FAILED ? (size_t)by : 0;
}

static void set_state(struct trials *t, struct trial_entry *e, enum trial_state state)
{
    count(t, e, -1);
    e->trial.state = state;
    count(t, e, 1);
}

static void set_stage(struct trial_entry *e, const char *stage, size_t n)
{
    size_t fits = sizeof(e->trial.stage) - 1;
    snprintf(e->trial.stage, sizeof(e->trial.stage), "%.*s", (int)(n < fits ? n : fits), stage);
}

static void take_out(struct trials *t, struct trial_entry *e)
{
    *(e->older ? &e->older->newer : &t->oldest) = e->newer;
    *(e->newer ? &e->newer->older : &t->newest) = e->older;
    e->older = e->newer = NULL;
    count(t, e, -1);
    t->n--;
}

static void put_in(struct trials *t, struct trial_entry *e)
{
    e->older = t->newest;
    *(t->newest ? &t->newest->newer : &t->oldest) = e;
    t->newest = e;
    count(t, e, 1);
    t->n++;
}

/* The one begun longest ago that does not run, or of those that do. */
static void make_room(struct trials *t)
{
    struct trial_entry *e = t->oldest;
    while (e && e->trial.state == TRIAL_RUNNING)
        e = e->newer;
    if (!e)
        e = t->oldest;
    if (!e)
        return;
    take_out(t, e);
    free(e);
}

static struct trial_entry *add(struct trials *t, const struct trial *trial)
{
    struct trial_entry *e = calloc(1, sizeof(*e));
    if (!e)
        return NULL;
    if (t->n >= t->capacity)
        make_room(t);
    e->trial = *trial;
    put_in(t, e);
    return e;
}

struct trial_entry *trials_begin(struct trials *t, const struct moment *now, const struct trial *trial,
                                 uint32_t within_s)
{
    struct trial_entry *e = trials_find(t, trial->class, &trial->kernel);
    if (e) {
        take_out(t, e);
        *e = (struct trial_entry){.trial = *trial, .cuts = e->cuts};
        put_in(t, e);
    } else if (!(e = add(t, trial))) {
        return NULL;
    }
    e->within_s = within_s;
    e->deadline_us = now->mono_us + within_s * UINT64_C(1000000);
    set_state(t, e, TRIAL_RUNNING);
    e->trial.begun_us = now->unix_us;
    e->trial.ended_us = 0;
    set_stage(e, STAGE_TOLD, strlen(STAGE_TOLD));
    return e;
}

int trials_load(struct trials *t, const struct moment *now, const struct trial *trial, uint32_t within_s)
{
    if (trials_find(t, trial->class, &trial->kernel))
        return -EEXIST;
    struct trial_entry *e = add(t, trial);
    if (!e)
        return -ENOMEM;
    /* By the calendar, for the process that began it is gone; within what it would have at most. */
    int64_t within_us = within_s * INT64_C(1000000), spent_us;
    if (__builtin_sub_overflow(now->unix_us, trial->begun_us, &spent_us) || spent_us > within_us)
        spent_us = within_us;
    if (spent_us < 0)
        spent_us = 0;
    e->within_s = within_s;
    e->deadline_us = now->mono_us + (uint64_t)(within_us - spent_us);
    e->asked = !str_eq(trial->stage, STAGE_TOLD);
    e->had = e->asked && !str_eq(trial->stage, STAGE_ASKED);
    return 0;
}

/* ---- what moves a trial ---- */

void trials_give_up(struct trials *t, const struct moment *now, struct trial_entry *e)
{
    bool failed = e->had || (e->asked && ++e->cuts >= TRIAL_CUTS_MAX);
    set_state(t, e, failed ? TRIAL_FAILED : TRIAL_WITHDRAWN);
    e->trial.ended_us = now->unix_us;
}

void trials_forgive(struct trials *t, const struct moment *now, struct trial_entry *e)
{
    set_state(t, e, TRIAL_WITHDRAWN);
    e->trial.ended_us = now->unix_us;
    e->cuts = 0;
}

static void prove(struct trials *t, const struct moment *now, struct trial_entry *e)
{
    set_state(t, e, TRIAL_PROVEN);
    e->trial.ended_us = now->unix_us;
    set_stage(e, boot_stage_name(STAGE_READY), sizeof(e->trial.stage));
}

/* Whether the event is of the boot that is the trial. */
static bool is_of(const struct trial_entry *e, const struct event *event)
{
    return event->boot ? event->boot == e->trial.boot
                       : !e->trial.boot && mac_equal(&e->trial.mac, &event->mac);
}

/* Nothing was heard of its init: it is the loader that fetches. */
static bool is_in_loader(const struct trial_entry *e)
{
    static const char *const stages[] = {STAGE_TOLD, STAGE_ASKED, STAGE_HAD, STAGE_RAM};
    for (size_t i = 0; i < ARRAY_SIZE(stages); i++)
        if (str_eq(e->trial.stage, stages[i]))
            return true;
    return false;
}

static enum trial_move on_file(struct trials *t, struct trial_entry *e, const struct event *event)
{
    unsigned generation;
    enum artifact_kind kind;
    char name[ARTIFACT_NAME_MAX];
    bool before, end = event->kind == EVENT_FILE_END;
    if (!event->file || artifact_path_parse(event->file, &generation, &kind, name) < 0)
        return TRIAL_STAYS;
    const char *hardware_class = class_kernel_of(name, &before);
    if (kind == ARTIFACT_KERNEL && hardware_class && str_starts(hardware_class, e->trial.class)) {
        bool moves = end ? !e->had : !e->asked;
        e->asked = true;
        e->had |= end;
        if (moves)
            set_stage(e, end ? STAGE_HAD : STAGE_ASKED, sizeof(e->trial.stage));
        return moves ? TRIAL_MOVES : TRIAL_STAYS;
    }
    if ((kind == ARTIFACT_KERNEL || kind == ARTIFACT_UNIFIED) && is_in_loader(e)) {
        trials_give_up(t, &event->at, e);
        set_stage(e, STAGE_OTHER, sizeof(e->trial.stage));
        return TRIAL_ENDS;
    }
    if (kind == ARTIFACT_IMAGE && end && str_eq(e->trial.stage, STAGE_HAD)) {
        set_stage(e, STAGE_RAM, sizeof(e->trial.stage));
        return TRIAL_MOVES;
    }
    return TRIAL_STAYS;
}

/* What the init of the trial's boot reports, by the boot's name, can only come from a kernel that runs. Where
 * boots have no names, it may be of the boot before or after. */
static enum trial_move on_stage(struct trials *t, struct trial_entry *e, const struct event *event)
{
    const char *detail = event->detail ? event->detail : "";
    size_t n = strcspn(detail, ":");
    bool ready =
        n == strlen(boot_stage_name(STAGE_READY)) && str_starts(detail, boot_stage_name(STAGE_READY));
    bool late = e->trial.state == TRIAL_FAILED;
    if (event->boot && event->hearsay)
        return TRIAL_STAYS;
    if (event->boot)
        e->asked = e->had = true;
    if (!e->had || (late && (!ready || !event->boot || str_eq(e->trial.stage, STAGE_OTHER))))
        return TRIAL_STAYS;
    if (!ready) {
        set_stage(e, detail, n);
        return TRIAL_MOVES;
    }
    prove(t, &event->at, e);
    return late ? TRIAL_REVIVES : TRIAL_ENDS;
}

static enum trial_move move(struct trials *t, struct trial_entry *e, const struct event *event)
{
    bool running = e->trial.state == TRIAL_RUNNING;
    switch (event->kind) {
    case EVENT_BOOT:
        if (!running || !mac_equal(&e->trial.mac, &event->mac) || event->boot == e->trial.boot)
            return TRIAL_STAYS;
        trials_give_up(t, &event->at, e);
        return TRIAL_ENDS;
    case EVENT_FILE_START:
    case EVENT_FILE_END:
        return running && is_of(e, event) ? on_file(t, e, event) : TRIAL_STAYS;
    case EVENT_STAGE:
        return (running || e->trial.state == TRIAL_FAILED) && is_of(e, event) ? on_stage(t, e, event)
                                                                              : TRIAL_STAYS;
    default:
        return TRIAL_STAYS;
    }
}

enum trial_move trials_observe(struct trials *t, const struct event *event, struct trial_entry **ret_entry)
{
    enum trial_move moved = TRIAL_STAYS;
    if (t->running || (t->failed && event->kind == EVENT_STAGE))
        for (struct trial_entry *e = t->newest; e && moved == TRIAL_STAYS; e = e->older) {
            moved = move(t, e, event);
            *ret_entry = e;
        }
    return moved;
}
