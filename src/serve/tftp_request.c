/* What a request leads to; see serve/tftp_internal.h. */
#include "serve/tftp_internal.h"

#include <errno.h>
#include <stdlib.h>

#define MTU         1500        /* of an interface that does not say */
#define MTU_MIN     576         /* RFC 791: what everybody can take */
#define IP_UDP_TFTP 32          /* headers in front of a block (T4) */
#define LATE        TFTP_SECOND /* how long after its transfer moved a request can be a late copy */

void tftp_refuse(struct tftp_table *t, const struct moment *now, const struct tftp_flow *flow,
                 const struct file_answer *what, enum counter counter, enum tftp_error code, const char *why)
{
    count(t->host.counters, counter, 1);
    tftp_send_error(t, flow, code, why);
    t->host.sink->emit(t->host.sink, &(struct event){
                                         .kind = EVENT_FILE_REFUSED,
                                         .at = *now,
                                         .mac = what->mac,
                                         .node = what->node[0] ? what->node : NULL,
                                         .ip = flow->remote.address,
                                         .boot = what->boot,
                                         .file = what->name,
                                         .detail = why,
                                     });
}

/* Makes room: the transfer that is quiet for the longest time ends, of this source or (NULL) of all. False:
 * none is quiet. */
static bool shed(struct tftp_table *t, const struct moment *now, const struct tftp_source *source)
{
    struct tftp_transfer *x = tftp_quietest(t, source);
    if (x)
        tftp_abort(t, now, x, COUNT_TFTP_TIMEOUT, TFTP_NEVER_ANSWERED);
    return x;
}

bool tftp_shed(struct tftp_table *t, const struct moment *now)
{
    return shed(t, now, NULL);
}

/* H7, F12: whether another transfer may begin; then it counts until tftp_quota_end. Those that are quiet make
 * room. What may not begin is dropped without a word; the client asks again. */
static bool admit(struct tftp_table *t, const struct moment *now, ipv4_t address)
{
    const struct tftp_settings *s = &t->settings;
    const struct tftp_source *source = tftp_source_find(t, address);
    if (s->per_source && source && source->transfers >= s->per_source && !shed(t, now, source))
        return false;
    if (!tftp_quota_has_room(t->host.quota, s->max_transfers))
        shed(t, now, NULL);
    return tftp_quota_begin(t->host.quota, now->mono_us, s->max_transfers, s->cps, s->pause_s);
}

/* T4: the largest block: what fits the interface, and the subnet of who asks. */
static unsigned room_for(const struct tftp_table *t, unsigned interface_mtu, unsigned subnet_mtu)
{
    unsigned mtu = interface_mtu ? interface_mtu : MTU;
    if (subnet_mtu && subnet_mtu < mtu)
        mtu = subnet_mtu;
    unsigned room = (mtu < MTU_MIN ? MTU_MIN : mtu) - IP_UDP_TFTP;
    return room < t->settings.max_blksize ? room : t->settings.max_blksize;
}

/* T3..T6: what is granted of what was asked. */
static void grant(const struct tftp_table *t, struct tftp_transfer *x, const struct tftp_request *request,
                  unsigned mtu)
{
    unsigned room = room_for(t, mtu, x->what.mtu);
    struct tftp_options o = request->options;
    if (o.blksize > room)
        o.blksize = (uint16_t)room;
    if (o.windowsize > t->settings.max_window)
        o.windowsize = (uint16_t)t->settings.max_window;
    o.tsize = x->size;
    x->granted = o;
    x->blksize = o.has & TFTP_O_BLKSIZE ? o.blksize : TFTP_BLKSIZE;
    x->window = o.has & TFTP_O_WINDOWSIZE ? o.windowsize : 1;
    x->last = x->size / x->blksize + 1;
    x->greeting = o.has != 0;
}

/* Bytes of the text as netascii has it (RFC 764): LF becomes CR LF, CR becomes CR NUL. */
static uint64_t netascii_size(const struct served_file *file)
{
    uint64_t more = 0;
    for (uint64_t i = 0; i < file->size; i++)
        more += file->data[i] == '\n' || file->data[i] == '\r';
    return file->size + more;
}

/* The text so written; `size` is netascii_size(). NULL: no memory. */
static struct served_file *netascii(const struct served_file *file, uint64_t size)
{
    size_t n = 0;
    uint8_t *text = malloc(size + 1);
    if (!text)
        return NULL;
    for (size_t i = 0; i < file->size; i++) {
        uint8_t c = file->data[i];
        if (c == '\n')
            text[n++] = '\r';
        text[n++] = c;
        if (c == '\r')
            text[n++] = '\0';
    }
    struct served_file *converted = served_file_of_bytes(file->kind, text, n);
    if (!converted)
        free(text);
    return converted;
}

/* Puts the converted text in the place of x->what.file. All copies together take TFTP_NETASCII_MAX at most.
 * 0, or -EFBIG: then there is no file any more. */
static int convert(struct tftp_table *t, struct tftp_transfer *x)
{
    struct served_file *file = x->what.file;
    uint64_t size = file->size <= TFTP_NETASCII_MAX ? netascii_size(file) : 0;
    x->netascii = file->size <= TFTP_NETASCII_MAX && tftp_quota_take_bytes(t->host.quota, size);
    x->what.file = x->netascii ? netascii(file, size) : NULL;
    served_file_unref(file);
    if (x->what.file)
        return 0;
    if (x->netascii)
        tftp_quota_give_bytes(t->host.quota, size);
    return -EFBIG;
}

/* Whether we cannot do at the moment what we can do later (F11, F12): the client is to ask again. */
static bool is_shortage(int r)
{
    return r == -EMFILE || r == -ENFILE || r == -ENOMEM;
}

/* Opens the file into x->what; answers with an ERROR when that fails for good. */
static int open_file(struct tftp_table *t, struct tftp_transfer *x, const struct moment *now,
                     const struct tftp_request *request)
{
    const char *why = "no such file";
    struct file_request wanted = {
        .name = request->name, .from = x->flow.remote.address, .local = x->flow.local.address};
    int r = t->host.open(t->host.user, now, &wanted, &x->what, &why);
    if (r < 0) {
        bool missing = r == -ENOENT;
        x->what.file = NULL;
        if (is_shortage(r)) {
            count(t->host.counters, COUNT_TFTP_LIMITED, 1);
            shed(t, now, NULL);
        } else {
            tftp_refuse(t, now, &x->flow, &x->what, missing ? COUNT_TFTP_NOT_FOUND : COUNT_TFTP_REFUSED,
                        missing        ? TFTP_E_NOT_FOUND
                        : r == -EACCES ? TFTP_E_ACCESS
                                       : TFTP_E_UNDEFINED,
                        why);
        }
        return r;
    }
    if (request->mode == TFTP_NETASCII && convert(t, x) < 0) {
        tftp_refuse(t, now, &x->flow, &x->what, COUNT_TFTP_REFUSED, TFTP_E_ILLEGAL,
                    "too large for netascii: use octet");
        return -EFBIG;
    }
    x->data = x->what.file->data;
    x->size = x->what.file->size;
    return 0;
}

/* A transfer that is ready to be entered; NULL when the request was refused, or memory is gone. */
static struct tftp_transfer *prepare(struct tftp_table *t, const struct moment *now,
                                     const struct tftp_flow *flow, unsigned mtu,
                                     const struct tftp_request *request)
{
    struct tftp_transfer *x = calloc(1, sizeof(*x));
    if (!x)
        return NULL;
    x->flow = *flow;
    if (open_file(t, x, now, request) < 0) {
        free(x);
        return NULL;
    }
    grant(t, x, request, mtu);
    if (tftp_enter(t, x) == 0)
        return x;
    if (x->netascii)
        tftp_quota_give_bytes(t->host.quota, x->size);
    served_file_unref(x->what.file);
    free(x);
    return NULL;
}

static void begin(struct tftp_table *t, const struct moment *now, const struct tftp_flow *flow, unsigned mtu,
                  const struct tftp_request *request)
{
    if (!admit(t, now, flow->remote.address)) {
        count(t->host.counters, COUNT_TFTP_LIMITED, 1);
        return;
    }
    struct tftp_transfer *x = prepare(t, now, flow, mtu, request);
    if (x)
        tftp_begin(t, now, x);
    else
        tftp_quota_end(t->host.quota);
}

void tftp_take_request(struct tftp_table *t, const struct moment *now, const struct tftp_flow *flow,
                       unsigned mtu, const struct tftp_request *request, struct tftp_transfer *x)
{
    char name[TFTP_NAME_MAX + 1];
    bool same =
        x && file_name_normalise(request->name, name, sizeof(name)) == 0 && strcmp(name, x->what.name) == 0;
    if (same && !x->verified && !x->quiet) {
        /* It did not get our answer, or only asks again; either way this is one of the few tries it has. */
        if (x->tries < TFTP_TRIES) {
            x->tries++;
            tftp_send_window(t, x, now->mono_us);
        }
        return;
    }
    if (same && now->mono_us - x->progress_us < LATE)
        return; /* F7: a copy of the request that the network was slow with. A machine that began anew is not
                   so quick, and asks again */
    if (x)
        tftp_abort(t, now, x, COUNT_TFTP_ABORTED, "the client asked anew from the same port");
    begin(t, now, flow, mtu, request);
}
