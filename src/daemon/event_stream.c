/* See daemon/event_stream.h. */
#include "daemon/event_stream.h"
#include "base/file.h"
#include "base/str.h"
#include "serve/boot.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <time.h>

struct line {
    struct line *next;
    char *text;
};

struct event_stream {
    int fd;
    pthread_t thread;
    sem_t wake, ended;
    _Atomic(struct line *) waiting; /* newest first */
    atomic_uint n_waiting, lost;
    atomic_bool stop;
    bool started;
};

/* Text of the wire may be no UTF-8; then each byte beyond ASCII is written as `\xff`. */
static json_t *json_text(const char *text)
{
    json_t *string = json_string(text);
    size_t room = strlen(text) * 4 + 1, used = 0;
    char *plain = string ? NULL : malloc(room);
    if (!plain)
        return string;
    for (; *text; text++) {
        if ((unsigned char)*text < 0x80)
            plain[used++] = *text;
        else
            used += (size_t)snprintf(plain + used, room - used, "\\x%02x", (unsigned char)*text);
    }
    plain[used] = '\0';
    string = json_string(plain);
    free(plain);
    return string;
}

static void add_text(json_t *object, const char *key, const char *text)
{
    if (text && text[0])
        json_object_set_new(object, key, json_text(text));
}

static void add_number(json_t *object, const char *key, uint64_t value)
{
    if (value)
        json_object_set_new(object, key, json_integer((json_int_t)value));
}

static json_t *line_of(const char *kind, const struct moment *at)
{
    return json_pack("{s:s, s:I, s:I}", "event", kind, "unix_us", (json_int_t)at->unix_us, "mono_us",
                     (json_int_t)at->mono_us);
}

char *event_to_json(const struct event *e)
{
    static const struct mac no_mac;
    char mac[MAC_TEXT_MAX], ip[IPV4_TEXT_MAX], boot[BOOT_ID_TEXT_MAX];
    json_t *object = line_of(event_name(e), &e->at);
    if (!object)
        return NULL;
    add_text(object, "mac", mac_equal(&e->mac, &no_mac) ? NULL : mac_format(&e->mac, mac));
    add_text(object, "identity", e->identity);
    add_text(object, "node", e->node);
    add_text(object, "ip", e->ip ? ipv4_format(e->ip, ip) : NULL);
    add_text(object, "boot", e->boot ? boot_id_format(e->boot, boot) : NULL);
    add_text(object, "file", e->file);
    add_text(object, "detail", e->detail);
    add_text(object, "path", e->path);
    add_text(object, "class", e->class);
    add_text(object, "label", e->label);
    add_number(object, "bytes", e->bytes);
    add_number(object, "bytes_total", e->bytes_total);
    add_number(object, "took_us", e->took_us);
    add_number(object, "node_us", e->node_us);
    add_number(object, "retransmissions", e->retransmissions);
    if (e->trial) {
        char hex[DIGEST_TEXT_MAX];
        add_text(object, "class", e->trial->class);
        add_text(object, "kernel", digest_format(&e->trial->kernel, hex));
        add_text(object, "state", trial_state_name(e->trial->state));
        add_text(object, "stage", e->trial->stage);
    }
    if (e->json)
        json_object_set_new(object, "json", json_loads(e->json, 0, NULL));
    char *text = json_dumps(object, JSON_COMPACT);
    json_decref(object);
    return text;
}

/* Hands a line over; it is freed here when it cannot wait. */
static void push(struct event_stream *s, char *text)
{
    struct line *line = text ? malloc(sizeof(*line)) : NULL;
    if (!line || atomic_fetch_add(&s->n_waiting, 1) >= EVENTS_WAITING) {
        if (line)
            atomic_fetch_sub(&s->n_waiting, 1);
        atomic_fetch_add(&s->lost, 1);
        free(line);
        free(text);
        return;
    }
    line->text = text;
    line->next = atomic_load_explicit(&s->waiting, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(&s->waiting, &line->next, line, memory_order_release,
                                                  memory_order_relaxed))
        ;
    sem_post(&s->wake);
}

void event_stream_write(struct event_stream *s, const struct event *event)
{
    if (s)
        push(s, event_to_json(event));
}

void event_stream_serving(struct event_stream *s, const struct moment *now, unsigned generation,
                          const char *const *interfaces, size_t n)
{
    json_t *object = s ? line_of("serving", now) : NULL, *names = s ? json_array() : NULL;
    if (!object || !names) {
        json_decref(object);
        json_decref(names);
        return;
    }
    for (size_t i = 0; i < n; i++)
        json_array_append_new(names, json_string(interfaces[i]));
    json_object_set_new(object, "generation", json_integer(generation));
    json_object_set_new(object, "interfaces", names);
    push(s, json_dumps(object, JSON_COMPACT));
    json_decref(object);
}

/* Takes all that waits, oldest first. */
static struct line *take_all(struct event_stream *s)
{
    struct line *newest = atomic_exchange_explicit(&s->waiting, NULL, memory_order_acquire), *oldest = NULL;
    while (newest) {
        struct line *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    return oldest;
}

static void write_line(struct event_stream *s, const char *text)
{
    (void)write_all(s->fd, text, strlen(text)); /* a reader that went away wants no more */
    (void)write_all(s->fd, "\n", 1);
}

static void write_waiting(struct event_stream *s)
{
    struct line *line = take_all(s);
    while (line) {
        struct line *next = line->next;
        write_line(s, line->text);
        free(line->text);
        free(line);
        atomic_fetch_sub(&s->n_waiting, 1);
        line = next;
    }
    unsigned lost = atomic_exchange(&s->lost, 0);
    if (lost) {
        char text[64];
        snprintf(text, sizeof(text), "{\"event\":\"lost\",\"count\":%u}", lost);
        write_line(s, text);
    }
}

static void *thread_main(void *user)
{
    struct event_stream *s = user;
    while (!atomic_load(&s->stop)) {
        while (sem_wait(&s->wake) < 0 && errno == EINTR)
            ;
        write_waiting(s);
    }
    write_waiting(s);
    sem_post(&s->ended);
    return NULL;
}

static int open_path(const char *path)
{
    struct stat st;
    uint64_t number;
    if (str_eq(path, "-"))
        return fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
    if (str_starts(path, "fd:"))
        return parse_u64(path + 3, 0, INT32_MAX, &number) < 0 ? (errno = EINVAL, -1)
                                                              : fcntl((int)number, F_DUPFD_CLOEXEC, 3);
    /* A FIFO is opened for reading too, so that neither end waits for the other, nor fails without it. */
    bool fifo = stat(path, &st) == 0 && S_ISFIFO(st.st_mode);
    return open(path, (fifo ? O_RDWR : O_WRONLY | O_CREAT | O_APPEND) | O_CLOEXEC, 0644);
}

int event_stream_open(const char *path, struct diags *diags, struct event_stream **ret_stream)
{
    struct event_stream *s = xcalloc(1, sizeof(*s));
    s->fd = open_path(path);
    int r = s->fd < 0 ? -errno : 0;
    sem_init(&s->wake, 0, 0);
    sem_init(&s->ended, 0, 0);
    if (r < 0) {
        free(s);
        return diag_errno(diags, r, "cannot write events to %s", path);
    }
    (void)fcntl(s->fd, F_SETPIPE_SZ, 1 << 20);
    *ret_stream = s;
    return 0;
}

int event_stream_start(struct event_stream *s, struct diags *diags)
{
    int r = -pthread_create(&s->thread, NULL, thread_main, s);
    s->started = r == 0;
    return r < 0 ? diag_errno(diags, r, "cannot write events") : 0;
}

void event_stream_close(struct event_stream *s)
{
    struct timespec until;
    if (!s)
        return;
    atomic_store(&s->stop, true);
    sem_post(&s->wake);
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 1;
    if (s->started && sem_timedwait(&s->ended, &until) < 0) {
        pthread_detach(s->thread); /* its reader does not read; the end of the process ends it */
        return;
    }
    if (s->started)
        pthread_join(s->thread, NULL);
    close(s->fd);
    sem_destroy(&s->wake);
    sem_destroy(&s->ended);
    free(s);
}
