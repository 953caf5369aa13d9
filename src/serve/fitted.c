/* See serve/fitted.h: the choice, by the machines that are known and the trials of their kernels. */
#include "serve/fitted.h"
#include "base/str.h"
#include "model/class_kernel.h"
#include "serve/known_machines.h"
#include "serve/trial_news.h"
#include "serve/trials.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

/* VAIN_MAX: boots with one kernel in which nothing is heard of a machine, until it is not given it any more.
 */
enum { MACHINES_DEFAULT = 16384, TRIALS_DEFAULT = 1024, VAIN_MAX = 2 };

struct fitted {
    pthread_mutex_t lock;
    struct fitted_config config;
    struct known_machines machines;
    struct trials trials;
    struct trial_news news;
    bool telling;                  /* a thread is at it */
    atomic_size_t running, failed; /* of the trials, for who has no lock yet */
};

/* ---- machines ---- */

struct fitted *fitted_new(const struct fitted_config *config)
{
    struct fitted *f = calloc(1, sizeof(*f));
    if (!f)
        return NULL;
    pthread_mutex_init(&f->lock, NULL);
    f->config = *config;
    if (!f->config.machines)
        f->config.machines = MACHINES_DEFAULT;
    f->trials.capacity = f->config.trials ? f->config.trials : TRIALS_DEFAULT;
    if (known_machines_init(&f->machines, f->config.machines, config->random(config->user)) < 0) {
        fitted_free(f);
        return NULL;
    }
    return f;
}

void fitted_free(struct fitted *f)
{
    if (!f)
        return;
    known_machines_clear(&f->machines);
    trials_clear(&f->trials);
    pthread_mutex_destroy(&f->lock);
    free(f);
}

void fitted_machine(struct fitted *f, const struct mac *mac, uint64_t boot, const char *hardware_class)
{
    pthread_mutex_lock(&f->lock);
    struct known_machine *m = known_machines_find(&f->machines, mac);
    if (m) {
        known_machines_touch(&f->machines, m);
    } else if ((m = known_machines_add(&f->machines, mac))) {
        m->boot = boot; /* which had the discovery kernel: nothing else was known of it */
    }
    if (m)
        snprintf(m->class, sizeof(m->class), "%s", hardware_class);
    pthread_mutex_unlock(&f->lock);
}

void fitted_hearsay(struct fitted *f, const struct mac *mac, const char *hardware_class)
{
    pthread_mutex_lock(&f->lock);
    bool believed = !known_machines_find(&f->machines, mac) && f->machines.n < f->machines.capacity;
    struct known_machine *m = believed ? known_machines_add(&f->machines, mac) : NULL;
    if (m)
        snprintf(m->class, sizeof(m->class), "%s", hardware_class);
    pthread_mutex_unlock(&f->lock);
}

bool fitted_class(struct fitted *f, const struct mac *mac, char ret_class[static MACHINE_CLASS_SIZE])
{
    pthread_mutex_lock(&f->lock);
    const struct known_machine *m = known_machines_find(&f->machines, mac);
    if (m)
        memcpy(ret_class, m->class, MACHINE_CLASS_SIZE);
    pthread_mutex_unlock(&f->lock);
    return m != NULL;
}

/* ---- what is told ---- */

static void tell(struct fitted *f, const struct told *told)
{
    f->config.sink->emit(f->config.sink, &(struct event){
                                             .kind = EVENT_TRIAL,
                                             .at = told->at,
                                             .mac = told->mac,
                                             .node = told->node[0] ? told->node : NULL,
                                             .boot = told->boot,
                                             .trial = &told->trial,
                                             .detail = told->text[0] ? told->text : NULL,
                                         });
}

/* Gives the lock back, which all that follows is called with, and tells what happened: one thread at a time,
 * so that the store does not get `proven` before `failed` when two have something to say. */
static void release(struct fitted *f)
{
    struct told *told;
    atomic_store(&f->running, f->trials.running);
    atomic_store(&f->failed, f->trials.failed);
    bool mine = !f->telling;
    while (mine && (told = trial_news_take(&f->news))) {
        f->telling = true;
        pthread_mutex_unlock(&f->lock);
        tell(f, told);
        free(told);
        pthread_mutex_lock(&f->lock);
    }
    if (mine)
        f->telling = false;
    pthread_mutex_unlock(&f->lock);
}

/* ---- the choice ---- */

/* A trial of this machine that its asking ends: it is in another boot, or, where boots have no names, asks
 * again with the kernel in hand. */
static void end_earlier(struct fitted *f, const struct moment *now, const struct fitted_request *r)
{
    struct trial_entry *e = trials_running_of(&f->trials, &r->mac);
    if (!e || r->looks || (r->boot ? e->trial.boot == r->boot : e->trial.boot || !e->had))
        return;
    trials_give_up(&f->trials, now, e);
    trial_news_end(&f->news, now, e, TRIAL_ANOTHER_BOOT);
}

static bool is_running_of(const struct trial_entry *e, const struct fitted_request *r)
{
    return e && e->trial.state == TRIAL_RUNNING && mac_equal(&e->trial.mac, &r->mac) &&
           (!r->boot || e->trial.boot == r->boot);
}

static const struct generation_artifact *class_artifact(const struct fitted_request *r,
                                                        const char *hardware_class, bool before)
{
    char name[ARTIFACT_NAME_MAX];
    return generation_artifact(r->generation, ARTIFACT_KERNEL,
                               class_kernel_format(hardware_class, before, name));
}

/* What this boot got already, as long as it can have it still. *ret_artifact NULL: the discovery kernel. */
static bool again(const struct fitted *f, const struct known_machine *m, const struct fitted_request *r,
                  const struct generation_artifact **ret_artifact, uint32_t *ret_trial_s)
{
    if (!r->boot || m->boot != r->boot)
        return false;
    *ret_artifact = NULL;
    *ret_trial_s = m->trial_s;
    if (!m->has_kernel)
        return true;
    for (int before = 0; before < 2 && !*ret_artifact; before++) {
        const struct generation_artifact *artifact = class_artifact(r, m->class, before);
        if (artifact && digest_equal(&artifact->digest, &m->kernel))
            *ret_artifact = artifact;
    }
    const struct trial_entry *e = trials_find(&f->trials, m->class, &m->kernel);
    return *ret_artifact && e && (e->trial.state == TRIAL_PROVEN || (m->trial_s && is_running_of(e, r)));
}

static struct trial_entry *begin(struct fitted *f, const struct moment *now, const struct known_machine *m,
                                 const struct fitted_request *r, const struct digest *kernel)
{
    struct trial_entry *other =
        trials_running_of(&f->trials, &r->mac); /* of a kernel that was replaced meanwhile */
    if (other) {
        trials_give_up(&f->trials, now, other);
        trial_news_end(&f->news, now, other, TRIAL_ANOTHER_BOOT);
    }
    struct trial trial = {.kernel = *kernel, .mac = r->mac, .boot = r->boot};
    memcpy(trial.class, m->class, sizeof(trial.class));
    snprintf(trial.node, sizeof(trial.node), "%s", r->node ? r->node : "");
    struct trial_entry *e = trials_begin(&f->trials, now, &trial, r->within_s);
    if (e)
        trial_news_begin(&f->news, now, e);
    return e;
}

/* NULL: the discovery kernel. */
static const struct generation_artifact *choose(struct fitted *f, const struct moment *now,
                                                const struct known_machine *m, const struct fitted_request *r,
                                                uint32_t *ret_trial_s)
{
    const struct generation_artifact *newest = class_artifact(r, m->class, false);
    const struct generation_artifact *before = class_artifact(r, m->class, true);
    struct trial_entry *e = newest ? trials_find(&f->trials, m->class, &newest->digest) : NULL;
    *ret_trial_s = 0;
    if (e && e->trial.state == TRIAL_PROVEN)
        return newest;
    if (newest && !r->looks && (!e || e->trial.state == TRIAL_WITHDRAWN))
        e = begin(f, now, m, r, &newest->digest);
    if (is_running_of(e, r)) {
        *ret_trial_s = e->within_s;
        return newest;
    }
    e = before ? trials_find(&f->trials, m->class, &before->digest) : NULL;
    return e && e->trial.state == TRIAL_PROVEN ? before : NULL;
}

/* ---- boots that come to nothing ---- */

/* Whether in the boot before this one the machine fetched all of a kernel that others of its class came up
 * with, and was not heard of since: it is made of something else than it was (its card was put into another
 * machine, or somebody said so in its name), or its firmware wants more of a kernel. */
static bool was_vain(const struct known_machine *m, const struct fitted_request *r)
{
    return r->boot && m->boot && m->boot != r->boot && m->has_kernel && !m->trial_s && m->had && !m->heard;
}

/* Whether it does without this kernel: in the boot after such a one, so that it can say what it is made of,
 * and when there were too many. */
static bool does_without(const struct known_machine *m, const struct digest *kernel, bool vain)
{
    return vain ? digest_equal(&m->kernel, kernel)
                : m->vain >= VAIN_MAX && digest_equal(&m->vain_kernel, kernel);
}

static void note_vain(struct fitted *f, const struct moment *now, struct known_machine *m,
                      const struct fitted_request *r)
{
    char mac[MAC_TEXT_MAX];
    const struct trial_entry *e = trials_find(&f->trials, m->class, &m->kernel);
    if (!digest_equal(&m->vain_kernel, &m->kernel))
        m->vain = 0;
    m->vain_kernel = m->kernel;
    m->vain = (uint8_t)(m->vain < VAIN_MAX ? m->vain + 1 : VAIN_MAX);
    struct told *told = e ? trial_news_add(&f->news, now, e) : NULL;
    if (!told)
        return;
    told->mac = m->mac;
    snprintf(told->node, sizeof(told->node), "%s", r->node ? r->node : "");
    told->boot = r->boot;
    trial_news_note(
        told,
        "nothing was heard of %s with its kernel, which others came up with; it gets the discovery kernel%s",
        r->node ? r->node : mac_format(&m->mac, mac),
        m->vain < VAIN_MAX ? " for this boot" : " from now on (`rambox hardware retry`)");
}

/* What is heard of the boot that the machine is in. */
static void hear(struct fitted *f, const struct event *event)
{
    struct known_machine *m = known_machines_find(&f->machines, &event->mac);
    if (!m || m->boot != event->boot)
        return;
    m->had |= event->kind == EVENT_FILE_END;
    m->heard |= event->kind == EVENT_STAGE;
    if (m->heard && m->has_kernel && digest_equal(&m->vain_kernel, &m->kernel))
        m->vain = 0;
}

/* Whether the event says something of a boot with a kernel of a class. */
static bool is_heard(const struct event *event)
{
    unsigned generation;
    enum artifact_kind kind;
    char name[ARTIFACT_NAME_MAX];
    bool before;
    if (!event->boot)
        return false;
    if (event->kind == EVENT_STAGE)
        return !event->hearsay;
    return event->kind == EVENT_FILE_END && event->file &&
           artifact_path_parse(event->file, &generation, &kind, name) == 0 && kind == ARTIFACT_KERNEL &&
           class_kernel_of(name, &before);
}

/* Gives the class's machines the kernel again that they did without. Whether there were some. */
static bool forget_vain(struct fitted *f, const char *hardware_class)
{
    bool any = false;
    for (struct known_machine *m = f->machines.oldest; m; m = m->newer) {
        bool meant = m->vain && str_eq(m->class, hardware_class);
        any |= meant;
        m->vain = meant ? 0 : m->vain;
    }
    return any;
}

/* ---- the answer ---- */

static void answer(struct fitted *f, const struct moment *now, struct known_machine *m,
                   const struct fitted_request *r, struct fitted_choice *choice)
{
    const struct generation_artifact *artifact;
    uint32_t trial_s;
    end_earlier(f, now, r);
    if (!again(f, m, r, &artifact, &trial_s)) {
        bool vain = was_vain(m, r);
        if (vain && !r->looks)
            note_vain(f, now, m, r);
        artifact = choose(f, now, m, r, &trial_s);
        if (artifact && !trial_s && does_without(m, &artifact->digest, vain))
            artifact = NULL;
        if (!r->looks) {
            m->had = false; /* not of what it gets now */
            m->heard = m->heard && m->boot == r->boot;
            m->boot = r->boot;
            m->has_kernel = artifact != NULL;
            m->trial_s = trial_s;
            if (artifact)
                m->kernel = artifact->digest;
        }
    }
    choice->trial_s = trial_s;
    if (artifact)
        snprintf(choice->kernel, sizeof(choice->kernel), "%s", artifact->name);
}

void fitted_kernel(struct fitted *f, const struct moment *now, const struct fitted_request *request,
                   struct fitted_choice *ret_choice)
{
    *ret_choice = (struct fitted_choice){0};
    pthread_mutex_lock(&f->lock);
    struct known_machine *m = known_machines_find(&f->machines, &request->mac);
    if (m)
        answer(f, now, m, request, ret_choice);
    release(f);
}

/* ---- trials ---- */

void fitted_trial(struct fitted *f, const struct moment *now, const struct trial *trial, uint32_t within_s)
{
    pthread_mutex_lock(&f->lock);
    (void)trials_load(&f->trials, now, trial, within_s);
    release(f);
}

void fitted_each_trial(struct fitted *f, void (*each)(void *user, const struct trial *trial), void *user)
{
    pthread_mutex_lock(&f->lock);
    for (const struct trial_entry *e = f->trials.oldest; e; e = e->newer)
        each(user, &e->trial);
    pthread_mutex_unlock(&f->lock);
}

bool fitted_proven(void *fitted, const char *hardware_class, const struct digest *kernel)
{
    struct fitted *f = fitted;
    char class[MACHINE_CLASS_SIZE];
    snprintf(class, sizeof(class), "%s", hardware_class);
    pthread_mutex_lock(&f->lock);
    const struct trial_entry *e = trials_find(&f->trials, class, kernel);
    bool proven = e && e->trial.state == TRIAL_PROVEN;
    release(f);
    return proven;
}

int fitted_retry(struct fitted *f, const struct moment *now, const struct generation *generation,
                 const char *hardware_class, struct trial *ret_trial)
{
    char name[ARTIFACT_NAME_MAX];
    const struct generation_artifact *kernel =
        generation_artifact(generation, ARTIFACT_KERNEL, class_kernel_format(hardware_class, false, name));
    if (!kernel)
        return -ENOENT;
    pthread_mutex_lock(&f->lock);
    struct trial_entry *e = trials_find(&f->trials, hardware_class, &kernel->digest);
    bool failed = e && e->trial.state == TRIAL_FAILED, again = forget_vain(f, hardware_class);
    if (failed) {
        trials_forgive(&f->trials, now, e);
        trial_news_note(trial_news_add(&f->news, now, e),
                        "its new kernel is tried again by the next machine of the class that boots, "
                        "as `rambox hardware retry` asked");
    }
    *ret_trial = e ? e->trial : (struct trial){0};
    release(f);
    return failed || (again && e) ? 0 : -EALREADY;
}

/* By what happened. */
static enum trial_reason reason_of(const struct event *event)
{
    return event->kind == EVENT_FILE_START || event->kind == EVENT_FILE_END ? TRIAL_ANOTHER_KERNEL
                                                                            : TRIAL_ANOTHER_BOOT;
}

void fitted_observe(struct fitted *f, const struct event *event)
{
    struct trial_entry *e = NULL;
    bool heard = is_heard(event);
    if (!heard && !atomic_load(&f->running) && !(event->kind == EVENT_STAGE && atomic_load(&f->failed)))
        return; /* most of the time, and events come by the ten thousand */
    pthread_mutex_lock(&f->lock);
    if (heard)
        hear(f, event);
    enum trial_move moved = trials_observe(&f->trials, event, &e);
    if (moved == TRIAL_MOVES)
        (void)trial_news_add(&f->news, &event->at, e);
    else if (moved != TRIAL_STAYS)
        trial_news_end(&f->news, &event->at, e, reason_of(event));
    release(f);
}

/* The next one whose time is up. */
static bool end_one(struct fitted *f, const struct moment *now)
{
    pthread_mutex_lock(&f->lock);
    struct trial_entry *e = trials_overdue(&f->trials, now);
    if (e) {
        trials_give_up(&f->trials, now, e);
        trial_news_end(&f->news, now, e, TRIAL_TIME_IS_UP);
    }
    release(f);
    return e != NULL;
}

void fitted_tick(struct fitted *f, const struct moment *now)
{
    while (atomic_load(&f->running) && end_one(f, now))
        ;
}
