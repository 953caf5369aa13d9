/* See doctor/answers.h. */
#include "doctor/answers.h"
#include "base/cleanup.h"
#include "proto/pxe.h"

#include <errno.h>
#include <stdio.h>

int answers_probe(struct answers *a, const struct probe *probe)
{
    if (a->probes_n == PROBES_MAX)
        return -ENOSPC;
    a->probes[a->probes_n] = (struct probe_sent){.probe = *probe};
    return (int)a->probes_n++;
}

/* P5, P6: bit 3 of PXE's sub-option 6. What is malformed says nothing. */
static bool boots_at_once(const struct dhcp_packet *p)
{
    struct reader r = dhcp_option(p, DHCP_VENDOR_SPECIFIC);
    while (!r.failed && r.left) {
        uint8_t code = reader_u8(&r);
        if (code == DHCP_END)
            break;
        if (code == DHCP_PAD)
            continue;
        size_t size = reader_u8(&r);
        const uint8_t *value = reader_take(&r, size);
        if (value && code == 6 && size == 1)
            return value[0] & PXE_BOOT_FILE_NOW;
    }
    return false;
}

void answer_file(const struct dhcp_packet *p, char ret_file[static 129])
{
    struct reader r = dhcp_option(p, DHCP_BOOT_FILE);
    if (p->file[0] || r.failed)
        snprintf(ret_file, 129, "%s", p->file);
    else
        snprintf(ret_file, 129, "%.*s", (int)(r.left < 128 ? r.left : 128), (const char *)r.p);
}

static void read_answer(const struct dhcp_packet *p, struct answer *ret_answer)
{
    struct answer answer = {
        .heard = true, .type = (uint8_t)p->type, .ip = p->yiaddr, .next_server = p->siaddr};
    answer_file(p, answer.file);
    answer.pxe =
        dhcp_begins(p, DHCP_VENDOR_CLASS, "PXEClient") || dhcp_begins(p, DHCP_VENDOR_CLASS, "HTTPClient");
    answer.boots_at_once = boots_at_once(p);
    uint8_t menu[PXE_VENDOR_MAX];
    size_t n = pxe_raspberry_encode(menu);
    struct reader vendor = dhcp_option(p, DHCP_VENDOR_SPECIFIC);
    answer.raspberry = vendor.left == n && memcmp(vendor.p, menu, n) == 0;
    *ret_answer = answer;
}

static struct server_heard *server_of(struct answers *a, bool local)
{
    const struct wire_reply *reply = &a->reply;
    ipv4_t id = 0;
    (void)dhcp_get_u32(&reply->message, DHCP_SERVER_ID, &id);
    for (size_t i = 0; i < a->servers_n; i++) {
        struct server_heard *s = &a->servers[i];
        if (s->local == local && s->id == id && s->source == reply->source &&
            mac_equal(&s->mac, &reply->source_mac))
            return s;
    }
    if (a->servers_n == SERVERS_MAX)
        return NULL;
    struct server_heard *s = &a->servers[a->servers_n++];
    *s = (struct server_heard){.mac = reply->source_mac, .source = reply->source, .id = id, .local = local};
    return s;
}

/* Which probe the answer is for, or -1: it passes by on its way to somebody else. */
static int probe_of(const struct answers *a)
{
    const struct dhcp_packet *p = &a->reply.message;
    struct mac mac;
    for (size_t i = 0; i < a->probes_n; i++) {
        const struct probe *probe = &a->probes[i].probe;
        if (a->probes[i].at_us && probe->xid == p->xid && dhcp_mac(p, &mac) && mac_equal(&mac, &probe->mac))
            return (int)i;
    }
    return -1;
}

static void take_passing(struct server_heard *server, const struct dhcp_packet *p)
{
    server->to_others++;
    if (p->type == DHCP_NAK)
        return;
    server->other_ip = p->yiaddr;
    (void)dhcp_mac(p, &server->other);
}

void answers_take(struct answers *a, uint64_t now_us, bool local, const void *frame, size_t size)
{
    enum wire_verdict verdict = wire_parse(frame, size, a->server_port, &a->reply);
    struct answer answer;
    a->malformed += verdict == WIRE_MALFORMED;
    if (verdict != WIRE_REPLY)
        return;
    const struct dhcp_packet *p = &a->reply.message;
    struct server_heard *server = server_of(a, local);
    int probe = probe_of(a);
    if (!server) {
        a->not_held++;
        return;
    }
    read_answer(p, &answer);
    server->gives_address |= answer.ip != 0 && p->type != DHCP_BOOTP;
    server->boots |= answer.pxe || answer.file[0];
    server->asks_4011 |= dhcp_begins(p, DHCP_VENDOR_CLASS, "PXEClient") && !answer.raspberry &&
                         !(answer.boots_at_once && answer.file[0]);
    if (probe < 0) {
        take_passing(server, p);
    } else if (!server->to[probe].heard) {
        answer.after_us = now_us > a->probes[probe].at_us ? now_us - a->probes[probe].at_us : 0;
        server->to[probe] = answer;
    }
}

bool answers_has(const struct answers *a, size_t probe, bool local)
{
    for (size_t i = 0; i < a->servers_n; i++)
        if (a->servers[i].to[probe].heard && (!local || a->servers[i].local))
            return true;
    return false;
}

const char *server_format(const struct server_heard *server, char buf[static SERVER_TEXT_MAX])
{
    char source[IPV4_TEXT_MAX], id[IPV4_TEXT_MAX], mac[MAC_TEXT_MAX];
    bool differs = server->id && server->id != server->source;
    snprintf(buf, SERVER_TEXT_MAX, "%s%s%s (%s)", ipv4_format(server->source, source),
             differs ? ", server id " : "", differs ? ipv4_format(server->id, id) : "",
             mac_format(&server->mac, mac));
    return buf;
}
