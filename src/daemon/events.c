/* See daemon/events.h. */
#include "daemon/events.h"
#include "base/log.h"
#include "base/mix.h"
#include "base/str.h"

#include <ctype.h>
#include <inttypes.h>

/* Puts a text behind the others, without printf: this line comes by the ten thousand. */
static char *put(char *to, const char *end, const char *text)
{
    size_t n = strnlen(text, (size_t)(end - to) - 1);
    memcpy(to, text, n);
    to[n] = '\0';
    return to + n;
}

/* `n1 (52:54:00:12:34:56)`, `n1 (GUID 00:02:c9:03:00:12:34:56)`, or what of it is known. */
#define WHO_MAX 160
static const char *who(const struct event *e, char buf[static WHO_MAX])
{
    static const struct mac no_mac;
    char mac[MAC_TEXT_MAX], ip[IPV4_TEXT_MAX];
    bool has_mac = !mac_equal(&e->mac, &no_mac), has_node = e->node && e->node[0];
    const char *machine = e->identity && e->identity[0] ? e->identity : mac_format(&e->mac, mac);
    const char *first = has_node ? e->node : has_mac ? machine : e->ip ? ipv4_format(e->ip, ip) : "a machine";
    char *p = put(buf, buf + WHO_MAX, first);
    if (has_node && has_mac)
        put(put(put(p, buf + WHO_MAX, " ("), buf + WHO_MAX, machine), buf + WHO_MAX, ")");
    return buf;
}

/* FNV-1a: only to tell lines apart that are left out of the log. */
static uint64_t mix(uint64_t h, const void *data, size_t size)
{
    const uint8_t *p = data;
    while (size--)
        h = (h ^ *p++) * 0x100000001b3u;
    return h;
}

static uint64_t key_of(const struct event *e)
{
    const char *reason = e->detail ? e->detail : "";
    uint64_t h = mix(mix(0xcbf29ce484222325u, &e->mac, sizeof(e->mac)), &e->ip, sizeof(e->ip));
    return mix(h, reason, strlen(reason));
}

/* Whether one more line of this machine fits into the burst. *ret_left_out: how many did not fit into the one
 * before it. */
static bool fits_burst(struct event_burst *burst, const struct event *e, unsigned *ret_left_out)
{
    uint8_t *share =
        &burst->shares[mix(0xcbf29ce484222325u, &e->mac, sizeof(e->mac)) % sizeof(burst->shares)];
    if (e->at.mono_us >= burst->end_us) {
        *ret_left_out = burst->left_out;
        *burst = (struct event_burst){.end_us = e->at.mono_us + EVENTS_BURST_S * 1000000ull};
    }
    bool fits = burst->lines < EVENTS_BURST && *share < EVENTS_SHARE;
    burst->lines += fits;
    burst->left_out += !fits;
    *share = (uint8_t)(*share + fits);
    return fits;
}

/* Whether the line may be written now. *ret_same: how many like it were left out since the last one;
 * *ret_others: how many of all kinds in the last burst. */
static bool may_say(struct events *events, const struct event *e, unsigned *ret_same, unsigned *ret_others)
{
    uint64_t key = key_of(e);
    struct event_memory *m = &events->memory[key % EVENTS_REMEMBERED];
    pthread_mutex_lock(&events->lock);
    bool same = m->key == key, say = !same || e->at.mono_us >= m->until_us;
    if (!say)
        m->left_out++;
    else
        say = fits_burst(&events->bursts[e->kind == EVENT_DHCP_ALERT], e, ret_others);
    if (say) {
        *ret_same = same ? m->left_out : 0;
        *m = (struct event_memory){key, e->at.mono_us + EVENTS_REPEAT_S * 1000000ull, 0};
    }
    pthread_mutex_unlock(&events->lock);
    return say;
}

#define MORE_MAX 64
/* Whether a line that anybody can cause may be written; then also what was left out before it. `more`: what
 * the line has at its end. */
static bool begin_limited(struct events *events, const struct event *e, char more[static MORE_MAX])
{
    unsigned same = 0, others = 0;
    more[0] = '\0';
    if (!may_say(events, e, &same, &others))
        return false;
    if (others)
        log_info("%u further lines about ignored messages were left out", others);
    if (same)
        snprintf(more, MORE_MAX, " (and %u times since the last such line)", same);
    return true;
}

/* A line that anybody on the network can cause as often as they like. */
static void log_limited(struct events *events, const struct event *e)
{
    char buf[WHO_MAX], more[MORE_MAX];
    if (!begin_limited(events, e, more))
        return;
    if (e->kind == EVENT_FILE_REFUSED)
        log_info("%s: %s: %s: refused: %s%s", file_protocol_name(e->protocol), who(e, buf),
                 e->file ? e->file : "?", e->detail ? e->detail : "", more);
    else if (e->kind == EVENT_DHCP_ALERT)
        log_warning("dhcp: %s: %s%s", who(e, buf), e->detail ? e->detail : "", more);
    else if (e->kind == EVENT_DHCP_OUT)
        log_info("dhcp: %s: %s%s", who(e, buf), e->detail ? e->detail : "", more);
    else
        log_info("dhcp: %s: ignored: %s%s", who(e, buf), e->detail ? e->detail : "", more);
}

/* How long a machine took to its address. */

static struct event_discover *discovers_of(struct events *events, const struct mac *mac, uint64_t *ret_key)
{
    uint64_t key = 0;
    memcpy(&key, mac->b, sizeof(mac->b));
    *ret_key = key;
    return events->discovers[mix64(key) % EVENTS_DISCOVERS];
}

/* The first of an attempt counts; one that led to nothing is forgotten after a while. */
static void remember_discover(struct events *events, const struct event *e)
{
    uint64_t key;
    struct event_discover *d = discovers_of(events, &e->mac, &key);
    struct event_discover *place = d[0].mac == key ? &d[0] : d[1].mac == key ? &d[1] : NULL;
    if (!place)
        place = d[0].at_us <= d[1].at_us ? &d[0] : &d[1];
    else if (e->at.mono_us - place->at_us < EVENTS_REPEAT_S * 1000000ull)
        return;
    *place = (struct event_discover){key, e->at.mono_us};
}

/* Microseconds since then; -1: not known. It counts once: later ACKs are renewals. */
static int64_t take_discover(struct events *events, const struct event *e)
{
    uint64_t key;
    struct event_discover *d = discovers_of(events, &e->mac, &key);
    for (size_t i = 0; i < 2; i++)
        if (d[i].mac == key && d[i].at_us <= e->at.mono_us) {
            int64_t took = (int64_t)(e->at.mono_us - d[i].at_us);
            d[i] = (struct event_discover){0};
            return took;
        }
    return -1;
}

static void log_dhcp_in(struct events *events, const struct event *e)
{
    char buf[WHO_MAX];
    if (str_eq(e->detail, "DISCOVER"))
        remember_discover(events, e);
    log_debug("dhcp: %s: %s", who(e, buf), e->detail);
}

/* `1d`, `90min`: the largest unit that says it without a fraction. */
#define SPAN_MAX 24
static const char *span(uint32_t seconds, char buf[static SPAN_MAX])
{
    static const struct {
        uint32_t seconds;
        const char *name;
    } units[] = {{86400, "d"}, {3600, "h"}, {60, "min"}, {1, "s"}};
    size_t i = 0;
    if (seconds == UINT32_MAX)
        return "ever";
    while (seconds % units[i].seconds)
        i++;
    snprintf(buf, SPAN_MAX, "%u%s", seconds / units[i].seconds, units[i].name);
    return buf;
}

/* `0.4`, `3`, `1200`: with a fraction only where it says something. */
static char *put_ms(char *to, const char *end, uint64_t us)
{
    char digits[24], *p = digits + sizeof(digits);
    uint64_t n = us < 10000 ? us / 100 : us / 1000;
    *--p = '\0';
    for (unsigned i = 0; n || i < 2; i++) {
        if (i == 1 && us < 10000)
            *--p = '.';
        else if (i == 1 && !n)
            break;
        *--p = (char)('0' + n % 10);
        n /= 10;
    }
    return put(to, end, p);
}

static void log_ack(struct events *events, const struct event *e)
{
    char buf[WHO_MAX], ip[IPV4_TEXT_MAX], lease[SPAN_MAX], line[512];
    const char *end = line + sizeof(line);
    int64_t took = e->lease_s ? take_discover(events, e) : -1;
    if (!log_enabled(LOG_LEVEL_INFO))
        return;
    char *p = put(put(put(line, end, "dhcp: "), end, who(e, buf)), end, ": ");
    if (!e->ip)
        p = put(p, end, "told what to boot");
    else if (!e->lease_s)
        p = put(put(p, end, "told the settings for "), end, ipv4_format(e->ip, ip));
    else
        p = put(put(put(p, end, ipv4_format(e->ip, ip)), end, " for "), end, span(e->lease_s, lease));
    p = put(put(p, end, " on "), end, e->interface && e->interface[0] ? e->interface : "?");
    if (took >= 0)
        p = put(put_ms(put(p, end, ", "), end, (uint64_t)took), end, " ms after its DISCOVER");
    if (e->path)
        put(put(p, end, "; boots by "), end, e->path);
    log_text(LOG_LEVEL_INFO, line);
}

static void log_dhcp_out(struct events *events, const struct event *e)
{
    char buf[WHO_MAX], ip[IPV4_TEXT_MAX];
    if (str_eq(e->detail, "ACK"))
        log_ack(events, e);
    else if (e->detail && str_starts(e->detail, "NAK"))
        log_limited(events, e);
    else if (str_eq(e->detail, "OFFER"))
        log_debug("dhcp: %s: OFFER %s", who(e, buf), ipv4_format(e->ip, ip));
    else
        log_info("dhcp: %s: %s by BOOTP on %s", who(e, buf), ipv4_format(e->ip, ip),
                 e->interface ? e->interface : "?");
}

/* Whoever is no node of ours can fetch as often as it likes: its lines are for those who look for them. */
static enum log_level level_of(const struct event *e)
{
    return e->boot || e->node || e->protocol == PROTOCOL_TFTP ? LOG_LEVEL_INFO : LOG_LEVEL_DEBUG;
}

static void log_file_end(struct events *events, const struct event *e)
{
    char buf[WHO_MAX], size[SIZE_TEXT_MAX], rate[SIZE_TEXT_MAX], again[48] = "";
    uint64_t took_us = e->took_us ? e->took_us : 1;
    (void)events;
    if (!log_enabled(level_of(e)))
        return;
    if (e->retransmissions)
        snprintf(again, sizeof(again), ", %u packet%s sent again", e->retransmissions,
                 e->retransmissions == 1 ? "" : "s");
    log_line(level_of(e), "%s: %s: %s: %s in %.3f s, %s/s%s", file_protocol_name(e->protocol), who(e, buf),
             e->file ? e->file : "?", format_size(e->bytes, size), (double)e->took_us / 1e6,
             format_size((uint64_t)((double)e->bytes * 1e6 / (double)took_us), rate), again);
}

static void log_file_aborted(struct events *events, const struct event *e)
{
    char buf[WHO_MAX];
    (void)events;
    if (log_enabled(level_of(e)))
        log_line(level_of(e), "%s: %s: %s: ended after %" PRIu64 " of %" PRIu64 " bytes: %s",
                 file_protocol_name(e->protocol), who(e, buf), e->file ? e->file : "?", e->bytes,
                 e->bytes_total, e->detail ? e->detail : "");
}

static void log_boot(struct events *events, const struct event *e)
{
    char buf[WHO_MAX], id[BOOT_ID_TEXT_MAX];
    (void)events;
    log_debug("boot: %s: %s %s", who(e, buf), boot_id_format(e->boot, id), e->detail ? e->detail : "");
}

/* What a node of ours reports; what belongs to no boot anybody can send. */
static void log_stage(struct events *events, const struct event *e)
{
    char buf[WHO_MAX], more[MORE_MAX] = "";
    if (e->boot || begin_limited(events, e, more))
        log_info("node: %s: %s, %.3f s after its kernel began%s", who(e, buf), e->detail ? e->detail : "",
                 (double)e->node_us / 1e6, more);
}

static void log_hardware(struct events *events, const struct event *e)
{
    char buf[WHO_MAX], more[MORE_MAX] = "";
    if (e->boot || begin_limited(events, e, more))
        log_info("node: %s is hardware class %s: %s%s", who(e, buf), e->class, e->detail, more);
}

/* A kernel that a class was fitted with: what people are told of its first boot. */
static void log_trial(struct events *events, const struct event *e)
{
    (void)events;
    if (e->detail)
        log_line(e->trial->state == TRIAL_FAILED ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO, "class %s: %s",
                 e->trial->class, e->detail);
}

static void log_unstarted(struct events *events, const struct event *e)
{
    char buf[WHO_MAX];
    (void)events;
    log_warning("boot: %s: %s was not started: %s", who(e, buf), e->file ? e->file : "?",
                e->detail ? e->detail : "");
}

static void log_nothing(struct events *events, const struct event *e)
{
    (void)events;
    (void)e;
}

/* The timeline in the store. */

static void store_one(struct events *events, const struct store_op *op)
{
    committer_submit_later(events->committer, op, 1); /* a timeline is no lease: nobody waits for it */
}

static void store_line(struct events *events, const struct event *e, const char *what, size_t n,
                       const char *detail)
{
    struct store_op op = {.kind = STORE_BOOT_EVENT, .event = {.boot = e->boot, .at_us = e->at.unix_us}};
    for (size_t i = 0; i < n && i < sizeof(op.event.what) - 1; i++)
        op.event.what[i] = (char)tolower((unsigned char)what[i]);
    snprintf(op.event.detail, sizeof(op.event.detail), "%s", detail ? detail : "");
    store_one(events, &op);
}

static void store_dhcp(struct events *events, const struct event *e)
{
    char ip[IPV4_TEXT_MAX];
    if (e->detail)
        store_line(events, e, e->detail, strcspn(e->detail, " :"), e->ip ? ipv4_format(e->ip, ip) : "");
}

static void store_file(struct events *events, const struct event *e)
{
    char text[200], size[SIZE_TEXT_MAX];
    snprintf(text, sizeof(text), "%s, %s in %.3f s", e->file ? e->file : "?", format_size(e->bytes, size),
             (double)e->took_us / 1e6);
    store_line(events, e, "file", 4, text);
}

static void store_boot(struct events *events, const struct event *e)
{
    struct store_op op = {.kind = STORE_BOOT_BEGIN};
    if (boot_table_get(events->boots, e->boot, &op.boot, NULL))
        store_one(events, &op);
}

/* `ready` or `failed: why`. */
static void store_stage(struct events *events, const struct event *e)
{
    size_t n = e->detail ? strcspn(e->detail, ":") : 0;
    if (n)
        store_line(events, e, e->detail, n,
                   e->detail[n] ? e->detail + n + 1 + (e->detail[n + 1] == ' ') : "");
}

static void store_unstarted(struct events *events, const struct event *e)
{
    char text[200];
    snprintf(text, sizeof(text), "%.95s: %s", e->file ? e->file : "?", e->detail ? e->detail : "");
    store_line(events, e, "unstarted", strlen("unstarted"), text);
}

static void store_facts(struct events *events, const struct event *e)
{
    struct store_op op = {
        .kind = STORE_REPORT,
        .report = {.boot = e->boot, .at_us = e->at.unix_us, .json = e->json ? strdup(e->json) : NULL}};
    if (op.report.json)
        store_one(events, &op);
} /* NOLINT(clang-analyzer-unix.Malloc): the text is the committer's now */

static void store_hardware(struct events *events, const struct event *e)
{
    struct store_op op = {
        .kind = STORE_MACHINE_PUT,
        .machine = {.mac = e->mac, .boot = e->hearsay ? 0 : e->boot, .at_us = e->at.unix_us}};
    snprintf(op.machine.node, sizeof(op.machine.node), "%s", e->node ? e->node : "");
    snprintf(op.machine.class, sizeof(op.machine.class), "%s", e->class);
    op.machine.json = e->json ? strdup(e->json) : NULL;
    if (op.machine.json)
        store_one(events, &op);
} /* NOLINT(clang-analyzer-unix.Malloc): the text is the committer's now */

static void on_trial_committed(void *user, int r)
{
    struct events *events = user;
    events->trials_unstored |= r < 0;
}

/* A server that is killed after a kernel came up must not take it for one that did not: so this goes before
 * all that nobody waits for, of which there may be much. */
static void submit_trial(void *user, const struct trial *trial)
{
    struct events *events = user;
    const struct store_op op = {.kind = STORE_TRIAL_PUT, .trial = *trial};
    if (committer_submit(events->committer, &op, 1, on_trial_committed, events) < 0)
        store_one(events, &op);
}

void events_store_trials(struct events *events)
{
    if (!events->trials_unstored)
        return;
    events->trials_unstored = false;
    fitted_each_trial(learning_fitted(events->learning), submit_trial, events);
}

/* The trial itself, whether or not its boot has a name, and what became of it in the boot's timeline. */
static void store_trial(struct events *events, const struct event *e)
{
    char text[200];
    submit_trial(events, e->trial);
    if (!e->boot || !e->detail)
        return;
    snprintf(text, sizeof(text), "class %s: %s", e->trial->class, e->detail);
    store_line(events, e, "trial", strlen("trial"), text);
}

static const struct {
    void (*log)(struct events *events, const struct event *e);
    void (*store)(struct events *events,
                  const struct event *e); /* only events that belong to a boot, and trials */
} handlers[] = {
    [EVENT_DHCP_IN] = {log_dhcp_in, store_dhcp},
    [EVENT_DHCP_OUT] = {log_dhcp_out, store_dhcp},
    [EVENT_DHCP_IGNORED] = {log_limited, NULL},
    [EVENT_DHCP_ALERT] = {log_limited, NULL},
    [EVENT_FILE_START] = {log_nothing, NULL},
    [EVENT_FILE_PROGRESS] = {log_nothing, NULL},
    [EVENT_FILE_END] = {log_file_end, store_file},
    [EVENT_FILE_REFUSED] = {log_limited, NULL},
    [EVENT_FILE_ABORTED] = {log_file_aborted, NULL},
    [EVENT_BOOT] = {log_boot, store_boot},
    [EVENT_STAGE] = {log_stage, store_stage},
    [EVENT_FACTS] = {log_nothing, store_facts},
    [EVENT_HARDWARE] = {log_hardware, store_hardware},
    [EVENT_TRIAL] = {log_trial, store_trial},
    [EVENT_UNSTARTED] = {log_unstarted, store_unstarted},
};

static void emit(struct event_sink *sink, const struct event *e)
{
    struct events *events = (struct events *)((char *)sink - offsetof(struct events, sink));
    boot_table_observe(events->boots, e);
    handlers[e->kind].log(events, e);
    if ((e->boot || e->kind == EVENT_TRIAL) && events->committer && handlers[e->kind].store)
        handlers[e->kind].store(events, e);
    event_stream_write(events->stream, e);
    if (events->learning)
        learning_observe(events->learning, e); /* which may emit what follows from it */
}

void events_init(struct events *events)
{
    *events = (struct events){.sink = {emit}, .lock = PTHREAD_MUTEX_INITIALIZER};
}
