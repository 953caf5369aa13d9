/* Boots under way; the contract is in serve/boot.h. */
#include "serve/boot.h"
#include "base/mix.h"
#include "model/generation.h"
#include "serve/bootfile.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define QUIET_US          (30 * UINT64_C(1000000)) /* nothing heard for so long: the attempt is over */
#define UNSTARTED_AT_ONCE 64
#define CAPACITY_DEFAULT  65536
#define BUCKETS_MIN       64

/* Each entry is in three hash tables, by what it is looked up with. */
enum key { BY_ID, BY_MAC, BY_IP, KEYS };

struct entry {
    struct boot boot;
    enum boot_stage stage;
    uint64_t heard_us; /* monotonic */
    bool has_image;    /* an image was asked for: LOADED is when it is there, not when the kernel is */
    bool unified;      /* a unified image was asked for: the node does not know its boot's id */
    bool named;        /* a boot configuration was, which has the id */
    bool efi_loader;   /* a boot program of UEFI's was fetched whole */
    uint64_t whole_us; /* when `program` was there; 0: it is not, or something came after it */
    char program[ARTIFACT_PATH_MAX];
    int64_t told_us; /* CLOCK_BOOTTIME of the last stage the node reported; -1: none */
    struct entry *next[KEYS];
    struct entry *older, *newer; /* by when they were heard of */
};

struct boot_table {
    pthread_mutex_t lock;
    struct boot_table_config config;
    struct entry **buckets[KEYS];
    size_t mask; /* of the bucket number */
    size_t count;
    uint64_t seed;
    struct entry *oldest, *newest;
};

static uint64_t mac_number(const struct mac *mac)
{
    uint64_t n = 0;
    memcpy(&n, mac->b, sizeof(mac->b));
    return n;
}

static uint64_t key_of(const struct entry *e, enum key key)
{
    return key == BY_ID ? e->boot.id : key == BY_MAC ? mac_number(&e->boot.mac) : e->boot.ip;
}

static struct entry **bucket(const struct boot_table *t, enum key key, uint64_t value)
{
    return &t->buckets[key][mix64(value ^ t->seed) & t->mask];
}

static struct entry *find(const struct boot_table *t, enum key key, uint64_t value)
{
    struct entry *e = value ? *bucket(t, key, value) : NULL;
    while (e && key_of(e, key) != value)
        e = e->next[key];
    return e;
}

static void link_key(struct boot_table *t, struct entry *e, enum key key)
{
    if (key_of(e, key) == 0)
        return; /* no address yet */
    struct entry **place = bucket(t, key, key_of(e, key));
    e->next[key] = *place;
    *place = e;
}

static void unlink_key(struct boot_table *t, struct entry *e, enum key key)
{
    for (struct entry **p = bucket(t, key, key_of(e, key)); *p; p = &(*p)->next[key])
        if (*p == e) {
            *p = e->next[key];
            return;
        }
}

static void unlink_age(struct boot_table *t, struct entry *e)
{
    *(e->older ? &e->older->newer : &t->oldest) = e->newer;
    *(e->newer ? &e->newer->older : &t->newest) = e->older;
    e->older = e->newer = NULL;
}

static void link_newest(struct boot_table *t, struct entry *e)
{
    e->older = t->newest;
    *(t->newest ? &t->newest->newer : &t->oldest) = e;
    t->newest = e;
}

static void heard(struct boot_table *t, struct entry *e, const struct moment *now)
{
    e->heard_us = now->mono_us;
    unlink_age(t, e);
    link_newest(t, e);
}

static void forget(struct boot_table *t, struct entry *e)
{
    for (enum key key = 0; key < KEYS; key++)
        unlink_key(t, e, key);
    unlink_age(t, e);
    t->count--;
    free(e);
}

/* Puts a boot in, in place of an older one of its machine, and of the one heard of least when the table is
 * full. */
static struct entry *insert(struct boot_table *t, const struct moment *now, const struct boot *boot)
{
    struct entry *e = calloc(1, sizeof(*e));
    if (!e)
        return NULL;
    struct entry *before = find(t, BY_MAC, mac_number(&boot->mac));
    if (before)
        forget(t, before);
    if (t->count >= t->config.capacity)
        forget(t, t->oldest);
    e->boot = *boot;
    e->heard_us = now->mono_us;
    e->told_us = -1;
    for (enum key key = 0; key < KEYS; key++)
        link_key(t, e, key);
    link_newest(t, e);
    t->count++;
    return e;
}

struct boot_table *boot_table_new(const struct boot_table_config *config)
{
    struct boot_table *t = calloc(1, sizeof(*t));
    if (!t)
        return NULL;
    pthread_mutex_init(&t->lock, NULL);
    t->config = *config;
    if (!t->config.capacity)
        t->config.capacity = CAPACITY_DEFAULT;
    size_t n = BUCKETS_MIN;
    while (n < t->config.capacity)
        n *= 2;
    t->mask = n - 1;
    t->seed = config->random(config->user);
    for (enum key key = 0; key < KEYS; key++) {
        t->buckets[key] = calloc(n, sizeof(*t->buckets[key]));
        if (!t->buckets[key]) {
            boot_table_free(t);
            return NULL;
        }
    }
    return t;
}

void boot_table_free(struct boot_table *t)
{
    if (!t)
        return;
    while (t->oldest)
        forget(t, t->oldest);
    for (enum key key = 0; key < KEYS; key++)
        free(t->buckets[key]);
    pthread_mutex_destroy(&t->lock);
    free(t);
}

static bool starts(const char *text, const char *prefix)
{
    return text && strncmp(text, prefix, strlen(prefix)) == 0;
}

static void emit_boot(struct boot_table *t, const struct moment *now, const struct boot *boot)
{
    char generation[16];
    snprintf(generation, sizeof(generation), "g%u", boot->generation);
    t->config.sink->emit(t->config.sink, &(struct event){
                                             .kind = EVENT_BOOT,
                                             .at = *now,
                                             .mac = boot->mac,
                                             .node = boot->node[0] ? boot->node : NULL,
                                             .ip = boot->ip,
                                             .boot = boot->id,
                                             .detail = generation,
                                         });
}

/* Whether a DISCOVER of the firmware belongs to this attempt still. */
static bool goes_on(const struct entry *e, const struct moment *now)
{
    return e->stage <= STAGE_LOADER && now->mono_us - e->heard_us < QUIET_US;
}

uint64_t boot_table_discover(struct boot_table *t, const struct moment *now, const struct mac *mac,
                             const char *node, const char *profile, unsigned generation)
{
    struct boot boot = {
        .mac = *mac, .arch = ARCH_UNKNOWN, .generation = generation, .started_us = now->unix_us};
    snprintf(boot.node, sizeof(boot.node), "%s", node ? node : "");
    snprintf(boot.profile, sizeof(boot.profile), "%s", profile ? profile : "");
    pthread_mutex_lock(&t->lock);
    struct entry *e = find(t, BY_MAC, mac_number(mac));
    bool begins = !e || !goes_on(e, now);
    if (begins) {
        do
            boot.id = t->config.random(t->config.user);
        while (boot.id == 0 || find(t, BY_ID, boot.id));
        e = insert(t, now, &boot);
    } else {
        heard(t, e, now);
        memcpy(e->boot.profile, boot.profile, sizeof(boot.profile)); /* what counts is what was said last */
        boot = e->boot;
    }
    pthread_mutex_unlock(&t->lock);
    if (!e)
        return 0;
    if (begins) {
        count(t->config.counters, COUNT_BOOTS, 1);
        emit_boot(t, now, &boot);
    }
    return boot.id;
}

void boot_table_assign(struct boot_table *t, const struct moment *now, uint64_t id, ipv4_t ip,
                       unsigned generation)
{
    struct boot boot;
    bool differs = false;
    pthread_mutex_lock(&t->lock);
    struct entry *e = find(t, BY_ID, id);
    if (e) {
        differs = (ip && ip != e->boot.ip) || (generation && generation != e->boot.generation);
        if (ip && ip != e->boot.ip) {
            unlink_key(t, e, BY_IP);
            e->boot.ip = ip;
            link_key(t, e, BY_IP); /* before an older boot that had the address */
        }
        if (generation)
            e->boot.generation = generation;
        boot = e->boot;
    }
    pthread_mutex_unlock(&t->lock);
    if (differs)
        emit_boot(t, now, &boot);
}

void boot_table_set_arch(struct boot_table *t, uint64_t id, enum cpu_arch arch)
{
    pthread_mutex_lock(&t->lock);
    struct entry *e = find(t, BY_ID, id);
    if (e && arch != ARCH_UNKNOWN)
        e->boot.arch = arch;
    pthread_mutex_unlock(&t->lock);
}

/* ---- programs that do not start ---- */

static bool is_artifact(const char *file, enum artifact_kind wanted)
{
    unsigned generation;
    enum artifact_kind kind;
    char name[ARTIFACT_NAME_MAX];
    return artifact_path_parse(file, &generation, &kind, name) == 0 && kind == wanted;
}

static bool is_kernel(const char *file)
{
    return is_artifact(file, ARTIFACT_KERNEL);
}

static void emit_unstarted(struct boot_table *t, const struct moment *now, const struct boot *boot,
                           const char *program)
{
    static const char usual[] =
        "the firmware fetched all of it, and then nothing came: with Secure Boot on, firmware refuses a "
        "program that is not signed with a key it trusts, or was changed since";
    static const char of_grub[] =
        "the firmware fetched all of it, and then nothing came: with Secure Boot on, firmware refuses a "
        "program that is not signed with a key it trusts, or was changed since; and beside another DHCP "
        "server GRUB looks for its configuration at that one's next server";
    static const char of_kernel[] =
        "the boot program fetched all of it, and then nothing came: with Secure Boot on, GRUB and shim "
        "refuse "
        "a kernel that is not signed with a key they trust, or was changed since, and say so on the node's "
        "console";
    struct event event = {.kind = EVENT_UNSTARTED,
                          .at = *now,
                          .mac = boot->mac,
                          .node = boot->node[0] ? boot->node : NULL,
                          .ip = boot->ip,
                          .boot = boot->id,
                          .file = program,
                          .detail = is_kernel(program)        ? of_kernel
                                    : starts(program, "grub") ? of_grub
                                                              : usual};
    t->config.sink->emit(t->config.sink, &event);
}

/* Takes it off the boot: it is told once. The caller has the lock. */
static bool take_unstarted(struct entry *e, struct boot *ret_boot, char ret_program[static ARTIFACT_PATH_MAX])
{
    if (!e->whole_us)
        return false;
    e->whole_us = 0;
    *ret_boot = e->boot;
    memcpy(ret_program, e->program, ARTIFACT_PATH_MAX);
    return true;
}

void boot_table_firmware(struct boot_table *t, const struct moment *now, const struct mac *mac)
{
    char program[ARTIFACT_PATH_MAX];
    struct boot boot;
    pthread_mutex_lock(&t->lock);
    struct entry *e = find(t, BY_MAC, mac_number(mac));
    bool tell = e && take_unstarted(e, &boot, program);
    pthread_mutex_unlock(&t->lock);
    if (tell)
        emit_unstarted(t, now, &boot, program);
}

/* One that has been silent for long enough, and not for so long that an earlier call has told it. */
static bool next_unstarted(struct boot_table *t, const struct moment *now, struct boot *ret_boot,
                           char ret_program[static ARTIFACT_PATH_MAX])
{
    const uint64_t limit = BOOT_UNSTARTED_S * UINT64_C(1000000);
    bool found = false;
    pthread_mutex_lock(&t->lock);
    for (struct entry *e = t->newest; e && !found && now->mono_us - e->heard_us < 4 * limit; e = e->older)
        if (e->whole_us && now->mono_us - e->whole_us >= limit)
            found = take_unstarted(e, ret_boot, ret_program);
    pthread_mutex_unlock(&t->lock);
    return found;
}

void boot_table_tick(struct boot_table *t, const struct moment *now)
{
    char program[ARTIFACT_PATH_MAX];
    struct boot boot;
    for (unsigned told = 0; told < UNSTARTED_AT_ONCE && next_unstarted(t, now, &boot, program); told++)
        emit_unstarted(t, now, &boot, program);
}

/* The stage that asking for a file means; -1: none. */
static int stage_of_file(const char *file)
{
    unsigned generation;
    enum artifact_kind kind;
    char name[ARTIFACT_NAME_MAX];
    if (!file)
        return -1;
    if (artifact_path_parse(file, &generation, &kind, name) == 0)
        return kind == ARTIFACT_IMAGE ? STAGE_IMAGE : STAGE_KERNEL;
    if (bootfile_is_config(file))
        return STAGE_CONFIG;
    return bootfile_is_program(file) ? STAGE_LOADER : -1;
}

static int stage_of_report(const char *detail)
{
    static const enum boot_stage reported[] = {STAGE_READY, STAGE_STOPPING, STAGE_FAILED};
    for (size_t i = 0; i < sizeof(reported) / sizeof(reported[0]); i++)
        if (starts(detail, boot_stage_name(reported[i])))
            return reported[i];
    return STAGE_INIT;
}

/* The stage an event means for its boot; -1: none. */
static int stage_of(const struct entry *e, const struct event *event)
{
    switch (event->kind) {
    case EVENT_DHCP_OUT:
        return !event->detail                        ? -1
               : strcmp(event->detail, "OFFER") == 0 ? STAGE_OFFER
               : strcmp(event->detail, "ACK") == 0   ? STAGE_ACK
                                                     : -1;
    case EVENT_FILE_START:
        return stage_of_file(event->file);
    case EVENT_FILE_END: {
        int stage = stage_of_file(event->file);
        bool last = stage == STAGE_IMAGE || (stage == STAGE_KERNEL && !e->has_image);
        return last ? STAGE_LOADED : -1;
    }
    case EVENT_STAGE:
        return stage_of_report(event->detail);
    default:
        return -1;
    }
}

static bool is_efi_loader(const char *file)
{
    size_t n = strlen(file);
    return n > 4 && strcmp(file + n - 4, ".efi") == 0 && bootfile_is_loader(file);
}

/* Whether something must come after this program: a unified image reports, a loader asks for its
 * configuration, and after a kernel a UEFI loader asks for the image, or the kernel reports. Of others, which
 * a profile names, nobody knows. */
static bool is_awaited(const struct entry *e, const char *file)
{
    return is_artifact(file, ARTIFACT_UNIFIED) || is_efi_loader(file) || (e->efi_loader && is_kernel(file));
}

/* Notes whether what firmware starts is there, and whether it has started. */
static void note_program(struct entry *e, const struct event *event)
{
    switch (event->kind) {
    case EVENT_FILE_END:
        if (!event->file || !is_awaited(e, event->file))
            return;
        e->efi_loader |= is_efi_loader(event->file);
        e->whole_us = event->at.mono_us ? event->at.mono_us : 1;
        snprintf(e->program, sizeof(e->program), "%s", event->file);
        return;
    case EVENT_FILE_START:
    case EVENT_DHCP_IN:
    case EVENT_STAGE:
    case EVENT_FACTS:
    case EVENT_HARDWARE:
        e->whole_us = 0;
        return;
    default:
        return;
    }
}

/* What the node knows of its boot's id, by the files it asks for. */
static void note_names(struct entry *e, const struct event *event)
{
    unsigned generation;
    enum artifact_kind kind;
    char name[ARTIFACT_NAME_MAX];
    if (event->kind != EVENT_FILE_START || !event->file)
        return;
    if (artifact_path_parse(event->file, &generation, &kind, name) < 0)
        e->named |= bootfile_is_config(event->file);
    else
        e->unified |= kind == ARTIFACT_UNIFIED;
}

void boot_table_observe(struct boot_table *t, const struct event *event)
{
    if (!event->boot || event->kind == EVENT_BOOT || event->kind == EVENT_UNSTARTED ||
        event->kind == EVENT_TRIAL)
        return;
    pthread_mutex_lock(&t->lock);
    struct entry *e = find(t, BY_ID, event->boot);
    if (e) {
        int stage = stage_of(e, event);
        heard(t, e, &event->at);
        note_program(e, event);
        note_names(e, event);
        if (stage == STAGE_IMAGE)
            e->has_image = true;
        /* A boot only goes forward: a kernel's own ACK after LOADED, or a late report, does not take it back.
         * LOADED by the kernel's end alone is taken back by an image that is asked for afterwards. */
        if (stage > (int)e->stage || (stage == STAGE_IMAGE && e->stage == STAGE_LOADED))
            e->stage = (enum boot_stage)stage;
    }
    pthread_mutex_unlock(&t->lock);
}

int64_t boot_table_told(struct boot_table *t, uint64_t id, int64_t us)
{
    pthread_mutex_lock(&t->lock);
    struct entry *e = find(t, BY_ID, id);
    int64_t before = e ? e->told_us : -1;
    if (e && us > before)
        e->told_us = us;
    pthread_mutex_unlock(&t->lock);
    return before;
}

static bool copy(struct boot_table *t, enum key key, uint64_t value, struct boot *ret_boot,
                 enum boot_stage *ret_stage)
{
    pthread_mutex_lock(&t->lock);
    struct entry *e = find(t, key, value);
    if (e) {
        *ret_boot = e->boot;
        if (ret_stage)
            *ret_stage = e->stage;
    }
    pthread_mutex_unlock(&t->lock);
    return e != NULL;
}

bool boot_table_get(struct boot_table *t, uint64_t id, struct boot *ret_boot, enum boot_stage *ret_stage)
{
    return copy(t, BY_ID, id, ret_boot, ret_stage);
}

bool boot_table_by_mac(struct boot_table *t, const struct mac *mac, struct boot *ret_boot,
                       enum boot_stage *ret_stage)
{
    return copy(t, BY_MAC, mac_number(mac), ret_boot, ret_stage);
}

bool boot_table_by_ip(struct boot_table *t, ipv4_t ip, struct boot *ret_boot, enum boot_stage *ret_stage)
{
    return copy(t, BY_IP, ip, ret_boot, ret_stage);
}

bool boot_table_unnamed(struct boot_table *t, const struct mac *mac, ipv4_t from, struct boot *ret_boot)
{
    pthread_mutex_lock(&t->lock);
    struct entry *e = find(t, BY_MAC, mac_number(mac));
    if (!e)
        e = find(t, BY_IP, from);
    bool found = e && (e->unified || !e->named);
    if (found)
        *ret_boot = e->boot;
    pthread_mutex_unlock(&t->lock);
    return found;
}

int boot_table_load(struct boot_table *t, const struct moment *now, const struct boot *boot)
{
    pthread_mutex_lock(&t->lock);
    struct entry *e = find(t, BY_MAC, mac_number(&boot->mac));
    int r = 0;
    if (!e || e->boot.started_us < boot->started_us) {
        e = insert(t, now, boot);
        if (e) {
            e->boot.arch = ARCH_UNKNOWN; /* the store does not say */
            e->stage = STAGE_CONFIG;     /* past the loader: the next DISCOVER begins another */
        } else {
            r = -ENOMEM;
        }
    }
    pthread_mutex_unlock(&t->lock);
    return r;
}

size_t boot_table_count(struct boot_table *t)
{
    pthread_mutex_lock(&t->lock);
    size_t n = t->count;
    pthread_mutex_unlock(&t->lock);
    return n;
}

const char *boot_id_format(uint64_t id, char buf[static BOOT_ID_TEXT_MAX])
{
    snprintf(buf, BOOT_ID_TEXT_MAX, "%016" PRIx64, id);
    return buf;
}

int boot_id_parse(const char *text, uint64_t *ret_id)
{
    uint64_t id = 0;
    if (strlen(text) != 16)
        return -EINVAL;
    for (size_t i = 0; i < 16; i++) {
        char c = text[i];
        int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
        if (digit < 0)
            return -EINVAL;
        id = id << 4 | (unsigned)digit;
    }
    *ret_id = id;
    return 0;
}
