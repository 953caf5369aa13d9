/* See serve/fitted.h: the machines, the choice, and the words for what became of a trial. */
#include "serve/fitted.h"
#include "base/mix.h"
#include "base/str.h"
#include "model/class_kernel.h"
#include "serve/trials.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

/* VAIN_MAX: boots with one kernel in which nothing is heard of a machine, until it is not given it any more.
 */
enum { MACHINES_DEFAULT = 16384, TRIALS_DEFAULT = 1024, BUCKETS_MIN = 64, VAIN_MAX = 2 };

/* A machine whose class is known, and what its last boot was given. */
struct machine_entry {
    struct mac mac;
    char class[MACHINE_CLASS_SIZE];
    uint64_t boot;        /* 0: none was answered, or it has no name */
    bool has_kernel;      /* it got `kernel`; else the discovery kernel */
    struct digest kernel; /* of the artifact */
    uint32_t trial_s;     /* it was told that this is a trial; 0: it is none */
    bool had, heard;      /* in that boot it fetched all of the kernel; its init told something */
    uint8_t vain;         /* boots with `vain_kernel`, that others came up with, in which nothing was heard */
    struct digest vain_kernel;
    struct machine_entry *next;
    struct machine_entry *older, *newer; /* by when they were heard of */
};

/* What is told of a trial once the lock is not held any more. */
struct told {
    struct moment at;
    struct trial trial;
    struct mac mac; /* whom it is about: mostly the one that tries it */
    char node[64];
    uint64_t boot;
    char text[200]; /* empty: nothing for people, only for the store */
    struct told *next;
};

struct fitted {
    pthread_mutex_t lock;
    struct fitted_config config;
    struct machine_entry **buckets;
    size_t mask, n;
    uint64_t seed;
    struct machine_entry *oldest, *newest;
    struct trials trials;
    struct told *untold, **last_untold; /* in the order in which it happened */
    bool telling;                       /* a thread is at it */
    atomic_size_t running, failed;      /* of the trials, for who has no lock yet */
};

/* ---- machines ---- */

static uint64_t mac_number(const struct mac *mac)
{
    uint64_t n = 0;
    memcpy(&n, mac->b, sizeof(mac->b));
    return n;
}

static struct machine_entry **bucket(const struct fitted *f, const struct mac *mac)
{
    return &f->buckets[mix64(mac_number(mac) ^ f->seed) & f->mask];
}

static struct machine_entry *find_machine(const struct fitted *f, const struct mac *mac)
{
    struct machine_entry *m = *bucket(f, mac);
    while (m && !mac_equal(&m->mac, mac))
        m = m->next;
    return m;
}

static void unlink_age(struct fitted *f, struct machine_entry *m)
{
    *(m->older ? &m->older->newer : &f->oldest) = m->newer;
    *(m->newer ? &m->newer->older : &f->newest) = m->older;
    m->older = m->newer = NULL;
}

static void link_newest(struct fitted *f, struct machine_entry *m)
{
    m->older = f->newest;
    *(f->newest ? &f->newest->newer : &f->oldest) = m;
    f->newest = m;
}

static void forget(struct fitted *f, struct machine_entry *m)
{
    struct machine_entry **place = bucket(f, &m->mac);
    while (*place != m)
        place = &(*place)->next;
    *place = m->next;
    unlink_age(f, m);
    f->n--;
    free(m);
}

static struct machine_entry *insert(struct fitted *f, const struct mac *mac)
{
    struct machine_entry *m = calloc(1, sizeof(*m));
    if (!m)
        return NULL;
    if (f->n >= f->config.machines)
        forget(f, f->oldest);
    m->mac = *mac;
    m->next = *bucket(f, mac);
    *bucket(f, mac) = m;
    link_newest(f, m);
    f->n++;
    return m;
}

struct fitted *fitted_new(const struct fitted_config *config)
{
    struct fitted *f = calloc(1, sizeof(*f));
    size_t buckets = BUCKETS_MIN;
    if (!f)
        return NULL;
    pthread_mutex_init(&f->lock, NULL);
    f->config = *config;
    f->last_untold = &f->untold;
    if (!f->config.machines)
        f->config.machines = MACHINES_DEFAULT;
    f->trials.capacity = f->config.trials ? f->config.trials : TRIALS_DEFAULT;
    while (buckets < f->config.machines)
        buckets *= 2;
    f->mask = buckets - 1;
    f->seed = config->random(config->user);
    f->buckets = calloc(buckets, sizeof(struct machine_entry *));
    if (!f->buckets) {
        fitted_free(f);
        return NULL;
    }
    return f;
}

void fitted_free(struct fitted *f)
{
    if (!f)
        return;
    while (f->oldest)
        forget(f, f->oldest);
    trials_clear(&f->trials);
    free(f->buckets);
    pthread_mutex_destroy(&f->lock);
    free(f);
}

void fitted_machine(struct fitted *f, const struct mac *mac, uint64_t boot, const char *hardware_class)
{
    pthread_mutex_lock(&f->lock);
    struct machine_entry *m = find_machine(f, mac);
    if (m) {
        unlink_age(f, m);
        link_newest(f, m);
    } else if ((m = insert(f, mac))) {
        m->boot = boot; /* which had the discovery kernel: nothing else was known of it */
    }
    if (m)
        snprintf(m->class, sizeof(m->class), "%s", hardware_class);
    pthread_mutex_unlock(&f->lock);
}

void fitted_hearsay(struct fitted *f, const struct mac *mac, const char *hardware_class)
{
    pthread_mutex_lock(&f->lock);
    bool believed = !find_machine(f, mac) && f->n < f->config.machines;
    struct machine_entry *m = believed ? insert(f, mac) : NULL;
    if (m)
        snprintf(m->class, sizeof(m->class), "%s", hardware_class);
    pthread_mutex_unlock(&f->lock);
}

bool fitted_class(struct fitted *f, const struct mac *mac, char ret_class[static MACHINE_CLASS_SIZE])
{
    pthread_mutex_lock(&f->lock);
    const struct machine_entry *m = find_machine(f, mac);
    if (m)
        memcpy(ret_class, m->class, MACHINE_CLASS_SIZE);
    pthread_mutex_unlock(&f->lock);
    return m != NULL;
}

/* ---- what is told ---- */

/* What happened to a trial; the caller has the lock, as for all that follows. NULL: memory is gone, and
 * nobody is told. */
static struct told *told_of(struct fitted *f, const struct moment *now, const struct trial_entry *e)
{
    struct told *told = calloc(1, sizeof(*told));
    if (!told)
        return NULL;
    told->at = *now;
    told->trial = e->trial;
    told->mac = e->trial.mac;
    memcpy(told->node, e->trial.node, sizeof(told->node));
    told->boot = e->trial.boot;
    *f->last_untold = told;
    f->last_untold = &told->next;
    return told;
}

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

/* Gives the lock back, and tells what happened: one thread at a time, so that the store does not get `proven`
 * before `failed` when two have something to say. */
static void release(struct fitted *f)
{
    struct told *told;
    atomic_store(&f->running, f->trials.running);
    atomic_store(&f->failed, f->trials.failed);
    bool mine = !f->telling;
    while (mine && (told = f->untold)) {
        f->telling = true;
        f->untold = told->next;
        if (!f->untold)
            f->last_untold = &f->untold;
        pthread_mutex_unlock(&f->lock);
        tell(f, told);
        free(told);
        pthread_mutex_lock(&f->lock);
    }
    if (mine)
        f->telling = false;
    pthread_mutex_unlock(&f->lock);
}

/* `5 min`, `90 s`. */
static const char *span(uint32_t seconds, char buf[static 16])
{
    bool minutes = seconds % 60 == 0;
    snprintf(buf, 16, "%" PRIu32 " %s", minutes ? seconds / 60 : seconds, minutes ? "min" : "s");
    return buf;
}

PRINTF(2, 3) static void note(struct told *told, const char *fmt, ...)
{
    va_list args;
    if (!told)
        return;
    va_start(args, fmt);
    vsnprintf(told->text, sizeof(told->text), fmt, args);
    va_end(args);
}

/* `n1`, or the address of a machine without an entry. */
static const char *who(const struct trial *t, char buf[static MAC_TEXT_MAX])
{
    return t->node[0] ? t->node : mac_format(&t->mac, buf);
}

/* Why a trial is over without ready. */
enum reason { TIME_IS_UP, ANOTHER_BOOT, ANOTHER_KERNEL };

static void note_failure(struct told *told, const struct trial_entry *e, enum reason reason)
{
    const struct trial *t = &e->trial;
    char mac[MAC_TEXT_MAX], within[16];
    const char *name = who(t, mac);
    if (reason == ANOTHER_KERNEL)
        note(told,
             "its new kernel did not come up on %s, where another one was chosen. %s gets what worked before "
             "it "
             "at its next boot",
             name, name);
    else if (reason == ANOTHER_BOOT)
        note(told,
             "its new kernel did not come up on %s, which began another boot; last seen: %s. %s gets what "
             "worked before it",
             name, t->stage, name);
    else
        note(told,
             "its new kernel did not come up on %s within %s; last seen: %s. %s gets what worked before it "
             "at its next boot",
             name, span(e->within_s, within), t->stage, name);
}

static void note_end(struct fitted *f, const struct moment *now, const struct trial_entry *e,
                     enum reason reason)
{
    struct told *told = told_of(f, now, e);
    char mac[MAC_TEXT_MAX];
    if (e->trial.state == TRIAL_PROVEN)
        note(told, "its new kernel came up on %s; every machine of the class gets it from its next boot on",
             who(&e->trial, mac));
    else if (e->trial.state == TRIAL_WITHDRAWN)
        note(told, "%s did not fetch its new kernel; the next machine of the class that boots tries it",
             who(&e->trial, mac));
    else
        note_failure(told, e, reason);
}

static void note_begin(struct fitted *f, const struct moment *now, const struct trial_entry *e)
{
    const struct trial *t = &e->trial;
    char mac[MAC_TEXT_MAX], hex[DIGEST_TEXT_MAX], within[16];
    note(told_of(f, now, e), "%s tries its new kernel %.12s, and has %s to ready", who(t, mac),
         digest_format(&t->kernel, hex), span(e->within_s, within));
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
    note_end(f, now, e, ANOTHER_BOOT);
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
static bool again(const struct fitted *f, const struct machine_entry *m, const struct fitted_request *r,
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

static struct trial_entry *begin(struct fitted *f, const struct moment *now, const struct machine_entry *m,
                                 const struct fitted_request *r, const struct digest *kernel)
{
    struct trial_entry *other =
        trials_running_of(&f->trials, &r->mac); /* of a kernel that was replaced meanwhile */
    if (other) {
        trials_give_up(&f->trials, now, other);
        note_end(f, now, other, ANOTHER_BOOT);
    }
    struct trial trial = {.kernel = *kernel, .mac = r->mac, .boot = r->boot};
    memcpy(trial.class, m->class, sizeof(trial.class));
    snprintf(trial.node, sizeof(trial.node), "%s", r->node ? r->node : "");
    struct trial_entry *e = trials_begin(&f->trials, now, &trial, r->within_s);
    if (e)
        note_begin(f, now, e);
    return e;
}

/* NULL: the discovery kernel. */
static const struct generation_artifact *choose(struct fitted *f, const struct moment *now,
                                                const struct machine_entry *m, const struct fitted_request *r,
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
static bool was_vain(const struct machine_entry *m, const struct fitted_request *r)
{
    return r->boot && m->boot && m->boot != r->boot && m->has_kernel && !m->trial_s && m->had && !m->heard;
}

/* Whether it does without this kernel: in the boot after such a one, so that it can say what it is made of,
 * and when there were too many. */
static bool does_without(const struct machine_entry *m, const struct digest *kernel, bool vain)
{
    return vain ? digest_equal(&m->kernel, kernel)
                : m->vain >= VAIN_MAX && digest_equal(&m->vain_kernel, kernel);
}

static void note_vain(struct fitted *f, const struct moment *now, struct machine_entry *m,
                      const struct fitted_request *r)
{
    char mac[MAC_TEXT_MAX];
    const struct trial_entry *e = trials_find(&f->trials, m->class, &m->kernel);
    if (!digest_equal(&m->vain_kernel, &m->kernel))
        m->vain = 0;
    m->vain_kernel = m->kernel;
    m->vain = (uint8_t)(m->vain < VAIN_MAX ? m->vain + 1 : VAIN_MAX);
    struct told *told = e ? told_of(f, now, e) : NULL;
    if (!told)
        return;
    told->mac = m->mac;
    snprintf(told->node, sizeof(told->node), "%s", r->node ? r->node : "");
    told->boot = r->boot;
    note(told,
         "nothing was heard of %s with its kernel, which others came up with; it gets the discovery kernel%s",
         r->node ? r->node : mac_format(&m->mac, mac),
         m->vain < VAIN_MAX ? " for this boot" : " from now on (`rambox hardware retry`)");
}

/* What is heard of the boot that the machine is in. */
static void hear(struct fitted *f, const struct event *event)
{
    struct machine_entry *m = find_machine(f, &event->mac);
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
    for (struct machine_entry *m = f->oldest; m; m = m->newer) {
        bool meant = m->vain && str_eq(m->class, hardware_class);
        any |= meant;
        m->vain = meant ? 0 : m->vain;
    }
    return any;
}

/* ---- the answer ---- */

static void answer(struct fitted *f, const struct moment *now, struct machine_entry *m,
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
    struct machine_entry *m = find_machine(f, &request->mac);
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
        note(told_of(f, now, e), "its new kernel is tried again by the next machine of the class that boots, "
                                 "as `rambox hardware retry` asked");
    }
    *ret_trial = e ? e->trial : (struct trial){0};
    release(f);
    return failed || (again && e) ? 0 : -EALREADY;
}

/* By what happened. */
static enum reason reason_of(const struct event *event)
{
    return event->kind == EVENT_FILE_START || event->kind == EVENT_FILE_END ? ANOTHER_KERNEL : ANOTHER_BOOT;
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
        (void)told_of(f, &event->at, e);
    else if (moved != TRIAL_STAYS)
        note_end(f, &event->at, e, reason_of(event));
    release(f);
}

/* The next one whose time is up. */
static bool end_one(struct fitted *f, const struct moment *now)
{
    pthread_mutex_lock(&f->lock);
    struct trial_entry *e = trials_overdue(&f->trials, now);
    if (e) {
        trials_give_up(&f->trials, now, e);
        note_end(f, now, e, TIME_IS_UP);
    }
    release(f);
    return e != NULL;
}

void fitted_tick(struct fitted *f, const struct moment *now)
{
    while (atomic_load(&f->running) && end_one(f, now))
        ;
}
