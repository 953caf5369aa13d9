/* See daemon/watch.h. */
#include "daemon/watch.h"
#include "base/file.h"
#include "base/str.h"

#include <errno.h>

enum { WANT_PUBLISH = 1, WANT_LOAD = 2, WANT_BUILT = 4 };

enum place { IN_CONFIG, IN_STATE };

/* The folders, and what a change in each asks for. */
static const struct {
    enum place place;
    const char *name; /* beneath it */
    const char *only; /* the one name in it that counts; NULL: all */
    unsigned want;
} folders[] = {
    {IN_CONFIG, "", NULL, WANT_PUBLISH},
    {IN_CONFIG, "/nodes.d", NULL, WANT_PUBLISH},
    {IN_CONFIG, "/images", NULL, WANT_PUBLISH},
    {IN_CONFIG, "/kernels", NULL, WANT_PUBLISH},
    {IN_STATE, "/generations", "current", WANT_LOAD},
    {IN_STATE, "/built", NULL, WANT_BUILT},
    {IN_STATE, "/artifacts", NULL, WANT_BUILT}, /* one that was lost comes back without a new record */
};
enum { FOLDERS = ARRAY_SIZE(folders) };

struct folder_watch {
    uv_fs_event_t event;
    struct watch *watch;
    size_t which;
    bool active;
};

/* One attempt, done by a thread of the pool. */
struct attempt {
    unsigned want;
    unsigned known;
    int result;
    bool lacked;     /* what was current before lacked kernels, or could not be published */
    bool incomplete; /* what is current now lacks kernels */
    struct diags diags;
    struct generation *generation; /* NULL: the one that is known */
};

struct watch {
    struct watch_config config;
    struct folder_watch folder[FOLDERS];
    uv_timer_t settle;
    uv_work_t work;
    struct attempt attempt;
    bool working, closing,
        incomplete; /* incomplete: a build may let more be published than was the last time */
    unsigned wanted, known;
    int open_handles;
    char *last_text; /* of the diagnostics of the last attempt */
};

static void free_when_closed(struct watch *w)
{
    if (w->open_handles || w->working)
        return;
    free(w->last_text);
    free(w);
}

static void do_work(uv_work_t *work)
{
    struct watch *w = work->data;
    struct attempt *a = &w->attempt;
    const struct watch_config *c = &w->config;
    unsigned number = 0;
    int published = 0, loaded = 0;
    if (a->want & WANT_PUBLISH)
        published = publish(c->config_dir, c->share_dir, c->state_dir, c->artifacts, &a->diags, &number);
    /* A switch by somebody else counts also beside an edit that is refused. */
    if (published >= 0 || (a->want & WANT_LOAD))
        loaded = generation_load(c->state_dir, 0, &a->diags, &a->generation);
    a->result = published < 0 ? published : loaded;
    a->incomplete = a->generation && generation_lacks_kernels(a->generation);
    /* The same one again, unless what it did without has come back. */
    bool completed = a->lacked && !a->incomplete;
    if (a->generation && a->generation->number == a->known && !completed) {
        generation_unref(a->generation);
        a->generation = NULL;
    }
}

static char *text_of(const struct diags *diags)
{
    struct str text = {0};
    VEC_EACH(diag, &diags->list)
        str_printf(&text, "%s:%u:%u %s\n", diag->file ? diag->file : "", diag->line, diag->column,
                   diag->text);
    return str_steal(&text);
}

static void start_work(struct watch *w);

static void finish_attempt(struct watch *w)
{
    struct attempt *a = &w->attempt;
    char *text = text_of(&a->diags);
    bool repeated = str_eq(text, w->last_text);
    free(w->last_text);
    w->last_text = text;
    if (a->want & WANT_PUBLISH)
        w->incomplete = a->result < 0 || a->incomplete;
    if (a->generation) {
        w->known = a->generation->number;
        w->config.on_generation(w->config.user, TAKE_PTR(a->generation));
    }
    w->config.on_attempt(w->config.user, a->result, &a->diags, repeated);
}

static void after_work(uv_work_t *work, int status)
{
    struct watch *w = work->data;
    w->working = false;
    if (!w->closing && status == 0)
        finish_attempt(w);
    generation_unref(w->attempt.generation);
    diags_free(&w->attempt.diags);
    w->attempt = (struct attempt){0};
    if (w->closing)
        free_when_closed(w);
    else if (w->wanted)
        start_work(w);
}

/* What is built matters when something was missing, which is known only when no attempt runs. */
static void start_work(struct watch *w)
{
    if (w->working)
        return; /* after_work looks again */
    if (w->wanted & WANT_BUILT)
        w->wanted = (w->wanted & ~(unsigned)WANT_BUILT) | (w->incomplete ? WANT_PUBLISH : 0);
    if (!w->wanted)
        return;
    w->attempt = (struct attempt){.want = w->wanted, .known = w->known, .lacked = w->incomplete};
    w->wanted = 0;
    w->work.data = w;
    w->working = uv_queue_work(w->config.loop, &w->work, do_work, after_work) == 0;
}

static void on_change(uv_fs_event_t *event, const char *name, int events, int status);

static void watch_folder(struct watch *w, size_t i)
{
    struct folder_watch *f = &w->folder[i];
    const char *const places[] = {[IN_CONFIG] = w->config.config_dir, [IN_STATE] = w->config.state_dir};
    cleanup_free char *path = xasprintf("%s%s", places[folders[i].place], folders[i].name);
    if (f->active)
        uv_fs_event_stop(&f->event);
    f->active = uv_fs_event_start(&f->event, on_change, path, 0) == 0;
}

/* Folders come and go with edits, and an editor may replace one: watch them all anew. */
static void watch_folders(struct watch *w)
{
    for (size_t i = 0; i < FOLDERS; i++)
        watch_folder(w, i);
}

static void on_settled(uv_timer_t *timer)
{
    struct watch *w = timer->data;
    watch_folders(w);
    start_work(w);
}

static void on_change(uv_fs_event_t *event, const char *name, int events, int status)
{
    struct folder_watch *f = event->data;
    struct watch *w = f->watch;
    (void)events;
    if (status < 0 || (name && folders[f->which].only && strcmp(name, folders[f->which].only) != 0))
        return;
    /* A build writes for long, and must not put an edit off. */
    if (folders[f->which].want == WANT_BUILT && !w->incomplete && !w->working)
        return;
    w->wanted |= folders[f->which].want;
    uv_timer_start(&w->settle, on_settled, WATCH_SETTLE_MS, 0);
}

int watch_new(const struct watch_config *config, unsigned known, struct diags *diags,
              struct watch **ret_watch)
{
    struct watch *w = calloc(1, sizeof(*w));
    cleanup_free char *generations = xasprintf("%s/generations", config->state_dir);
    cleanup_free char *built = xasprintf("%s/built", config->state_dir);
    cleanup_free char *artifacts = xasprintf("%s/artifacts", config->state_dir);
    if (!w)
        return -ENOMEM;
    w->config = *config;
    w->known = known;
    w->incomplete = config->incomplete;
    (void)dir_make(generations);
    (void)dir_make(built);
    (void)dir_make(artifacts);
    uv_timer_init(config->loop, &w->settle);
    w->settle.data = w;
    for (size_t i = 0; i < FOLDERS; i++) {
        uv_fs_event_init(config->loop, &w->folder[i].event);
        w->folder[i].event.data = &w->folder[i];
        w->folder[i].which = i;
        w->folder[i].watch = w;
    }
    w->open_handles = FOLDERS + 1;
    watch_folders(w);
    if (!w->folder[0].active)
        diag_warning(diags, NULL,
                     "%s cannot be watched for edits; after an edit send SIGHUP (systemctl reload rambox)",
                     config->config_dir);
    *ret_watch = w;
    return 0;
}

void watch_publish(struct watch *w)
{
    w->wanted |= WANT_PUBLISH;
    watch_folders(w);
    start_work(w);
}

static void on_closed(struct watch *w)
{
    w->open_handles--;
    free_when_closed(w);
}

static void on_timer_closed(uv_handle_t *handle)
{
    on_closed(handle->data);
}

static void on_folder_closed(uv_handle_t *handle)
{
    const struct folder_watch *f = handle->data;
    on_closed(f->watch);
}

void watch_free(struct watch *w)
{
    if (!w)
        return;
    w->closing = true;
    uv_close((uv_handle_t *)&w->settle, on_timer_closed);
    for (size_t i = 0; i < FOLDERS; i++)
        uv_close((uv_handle_t *)&w->folder[i].event, on_folder_closed);
}
