/* The TFTP server engine; the contract is in serve/tftp.h. Here: a datagram in, what it is and whose. */
#include "serve/tftp_internal.h"

/* Requests that no client sends: they would make servers talk to each other. */
static bool is_possible(const struct tftp_flow *flow)
{
    const struct endpoint *r = &flow->remote, *l = &flow->local;
    if (r->port == 0 || r->port == TFTP_PORT || r->address == 0 || r->address >= 0xe0000000)
        return false;
    return !(r->address == l->address && r->port == l->port);
}

static void malformed(struct tftp_table *t, const struct tftp_flow *flow, const void *data, size_t size,
                      bool stranger)
{
    struct reader r = reader_of(data, size);
    uint16_t op = reader_u16(&r);
    count(t->host.counters, COUNT_TFTP_MALFORMED, 1);
    if (stranger && (op == TFTP_RRQ || op == TFTP_WRQ))
        tftp_send_error(t, flow, TFTP_E_ILLEGAL, "malformed request");
}

void tftp_input(struct tftp_table *t, const struct moment *now, const struct tftp_flow *flow, unsigned mtu,
                const void *data, size_t size)
{
    struct tftp_packet p;
    if (!is_possible(flow)) {
        count(t->host.counters, COUNT_TFTP_MALFORMED, 1);
        return;
    }
    struct tftp_transfer *x = tftp_find(t, flow);
    if (tftp_parse(data, size, &p) < 0) {
        malformed(t, flow, data, size, !x);
        return;
    }
    switch (p.op) {
    case TFTP_RRQ:
        tftp_take_request(t, now, flow, mtu, &p.request, x);
        return;
    case TFTP_WRQ: { /* T13 */
        struct file_answer what = {0};
        if (file_name_normalise(p.request.name, what.name, sizeof(what.name)) < 0)
            what.name[0] = '\0';
        tftp_refuse(t, now, flow, &what, COUNT_TFTP_REFUSED, TFTP_E_ACCESS, "this server is read-only");
        return;
    }
    case TFTP_ACK:
        if (x) {
            tftp_take_ack(t, x, now, p.block);
            return;
        }
        break;
    case TFTP_ERROR:
        if (x)
            tftp_take_error(t, x, now, p.code);
        else
            count(t->host.counters, COUNT_TFTP_STRAY, 1); /* an ERROR is never answered */
        return;
    default:
        break;
    }
    count(t->host.counters, COUNT_TFTP_STRAY, 1);
    if (!x)
        tftp_send_error(t, flow, TFTP_E_UNKNOWN_TID, "no such transfer"); /* T2 */
}
