/* Who is there; see serve/tftp_internal.h. */
#include "base/mix.h"
#include "serve/tftp_internal.h"

#include <errno.h>
#include <stdlib.h>

enum { BUCKETS = 1024, CACHE_LINE = 64 };

void tftp_set_settings(struct tftp_table *t, const struct tftp_settings *settings)
{
    struct tftp_settings *s = &t->settings;
    *s = *settings;
    if (!s->max_transfers)
        s->max_transfers = TFTP_TRANSFERS;
    if (s->max_blksize < TFTP_BLKSIZE_MIN || s->max_blksize > TFTP_BLKSIZE_MAX)
        s->max_blksize = TFTP_BLKSIZE_MAX;
    if (s->max_window < 1 || s->max_window > TFTP_WINDOW)
        s->max_window = TFTP_WINDOW;
}

struct tftp_table *tftp_new(const struct tftp_settings *settings, const struct tftp_host *host, uint64_t seed)
{
    struct tftp_table *t = calloc(1, sizeof(*t));
    if (!t)
        return NULL;
    t->host = *host;
    t->seed = seed;
    tftp_quota_init(&t->own_quota);
    if (!t->host.quota)
        t->host.quota = &t->own_quota;
    tftp_set_settings(t, settings);
    t->buckets_n = BUCKETS;
    t->buckets = calloc(BUCKETS, sizeof(*t->buckets));
    t->sources = calloc(BUCKETS, sizeof(*t->sources));
    if (t->buckets && t->sources)
        return t;
    tftp_free(t);
    return NULL;
}

size_t tftp_count(const struct tftp_table *t)
{
    return t->transfers;
}

void tftp_count_bytes(struct tftp_table *t)
{
    if (t->bytes_sent)
        count(t->host.counters, COUNT_TFTP_BYTES, t->bytes_sent);
    t->bytes_sent = 0;
}

/* ---- buckets ---- */

static size_t bucket_of(const struct tftp_table *t, const struct tftp_flow *flow)
{
    uint64_t key =
        (uint64_t)flow->remote.address << 32 | (uint32_t)flow->remote.port << 16 | flow->local.port;
    return mix64(key ^ t->seed) & (t->buckets_n - 1);
}

static size_t source_bucket(const struct tftp_table *t, ipv4_t address)
{
    return mix64(address ^ t->seed) & (t->buckets_n - 1);
}

/* Links what the old bucket holds into the new buckets. */
static void move_bucket(struct tftp_table *t, struct tftp_transfer *x, struct tftp_source *s)
{
    while (x) {
        struct tftp_transfer *next = x->next, **head = &t->buckets[bucket_of(t, &x->flow)];
        x->next = *head;
        *head = x;
        x = next;
    }
    while (s) {
        struct tftp_source *next = s->next, **head = &t->sources[source_bucket(t, s->address)];
        s->next = *head;
        *head = s;
        s = next;
    }
}

/* Twice as many buckets, so that a chain stays short. When there is no memory for them, it becomes longer. */
static void grow(struct tftp_table *t)
{
    size_t n = t->buckets_n;
    struct tftp_transfer **buckets = calloc(2 * n, sizeof(*buckets)), **old_buckets = t->buckets;
    struct tftp_source **sources = calloc(2 * n, sizeof(*sources)), **old_sources = t->sources;
    if (!buckets || !sources) {
        free(buckets);
        free(sources);
        return;
    }
    t->buckets = buckets;
    t->sources = sources;
    t->buckets_n = 2 * n;
    for (size_t i = 0; i < n; i++)
        move_bucket(t, old_buckets[i], old_sources[i]);
    free(old_buckets);
    free(old_sources);
}

static bool same_endpoint(const struct endpoint *a, const struct endpoint *b)
{
    return a->address == b->address && a->port == b->port;
}

struct tftp_transfer *tftp_find(const struct tftp_table *t, const struct tftp_flow *flow)
{
    struct tftp_transfer *x = t->buckets[bucket_of(t, flow)];
    while (x &&
           !(same_endpoint(&x->flow.remote, &flow->remote) && same_endpoint(&x->flow.local, &flow->local)))
        x = x->next;
    return x;
}

void tftp_foresee(const struct tftp_table *t, const struct tftp_flow *flow, bool soon)
{
    struct tftp_transfer *const *bucket = &t->buckets[bucket_of(t, flow)];
    if (!soon) {
        __builtin_prefetch(bucket);
        return;
    }
    const char *x = (const char *)*bucket;
    for (size_t i = 0; x && i < offsetof(struct tftp_transfer, started_us); i += CACHE_LINE)
        __builtin_prefetch(x + i);
}

bool tftp_has(const struct tftp_table *t, const struct tftp_flow *flow)
{
    return tftp_find(t, flow);
}

/* ---- sources ---- */

static struct tftp_source **source_place(const struct tftp_table *t, ipv4_t address)
{
    struct tftp_source **p = &t->sources[source_bucket(t, address)];
    while (*p && (*p)->address != address)
        p = &(*p)->next;
    return p;
}

struct tftp_source *tftp_source_find(const struct tftp_table *t, ipv4_t address)
{
    return *source_place(t, address);
}

static void source_drop(struct tftp_table *t, struct tftp_source *source)
{
    if (--source->transfers)
        return;
    *source_place(t, source->address) = source->next;
    free(source);
}

/* ---- coming and going ---- */

int tftp_enter(struct tftp_table *t, struct tftp_transfer *x)
{
    if (deadlines_reserve(&t->deadlines, t->transfers + 1) < 0)
        return -ENOMEM;
    if (t->transfers >= t->buckets_n)
        grow(t);
    struct tftp_source **place = source_place(t, x->flow.remote.address);
    if (!*place) {
        *place = calloc(1, sizeof(**place));
        if (!*place)
            return -ENOMEM;
        (*place)->address = x->flow.remote.address;
    }
    x->source = *place;
    x->source->transfers++;
    struct tftp_transfer **head = &t->buckets[bucket_of(t, &x->flow)];
    x->next = *head;
    *head = x;
    t->transfers++;
    return 0;
}

void tftp_leave(struct tftp_table *t, struct tftp_transfer *x)
{
    struct tftp_transfer **p = &t->buckets[bucket_of(t, &x->flow)];
    while (*p != x)
        p = &(*p)->next;
    *p = x->next;
    if (x->quiet)
        tftp_end_quiet(t, x);
    deadlines_remove(&t->deadlines, &x->deadline);
    source_drop(t, x->source);
    tftp_quota_end(t->host.quota);
    t->transfers--;
    x->next = t->ended;
    t->ended = x;
}

void tftp_reap(struct tftp_table *t)
{
    while (t->ended) {
        struct tftp_transfer *x = t->ended;
        t->ended = x->next;
        if (x->netascii)
            tftp_quota_give_bytes(t->host.quota, x->size);
        if (t->host.gone)
            t->host.gone(t->host.user, &x->flow);
        served_file_unref(x->what.file);
        free(x);
    }
    tftp_count_bytes(t);
}

void tftp_free(struct tftp_table *t)
{
    if (!t)
        return;
    for (size_t i = 0; t->buckets && i < t->buckets_n; i++)
        while (t->buckets[i])
            tftp_leave(t, t->buckets[i]);
    tftp_reap(t);
    deadlines_free(&t->deadlines);
    free(t->buckets);
    free(t->sources);
    free(t);
}

/* ---- quiet ones ---- */

void tftp_set_quiet(struct tftp_table *t, struct tftp_transfer *x)
{
    x->quiet = true;
    x->source->quiet++;
    x->quiet_next = NULL;
    x->quiet_before = t->quiet_last;
    *(t->quiet_last ? &t->quiet_last->quiet_next : &t->quiet_first) = x;
    t->quiet_last = x;
}

void tftp_end_quiet(struct tftp_table *t, struct tftp_transfer *x)
{
    x->quiet = false;
    x->source->quiet--;
    *(x->quiet_before ? &x->quiet_before->quiet_next : &t->quiet_first) = x->quiet_next;
    *(x->quiet_next ? &x->quiet_next->quiet_before : &t->quiet_last) = x->quiet_before;
}

struct tftp_transfer *tftp_quietest(const struct tftp_table *t, const struct tftp_source *source)
{
    struct tftp_transfer *x = t->quiet_first;
    if (!source)
        return x;
    while (source->quiet && x && x->source != source)
        x = x->quiet_next;
    return source->quiet ? x : NULL;
}
