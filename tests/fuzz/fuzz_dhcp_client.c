/*
 * The node's DHCP client, as anybody on its network can talk to it: a series of packets, each behind two
 * bytes with its length and one with the seconds that passed before. A client that has a lease for good, or
 * asks again without a pause, has lost.
 */
#include "init/dhcp_client.h"
#include "proto/udp.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void check_lease(const struct lease *lease)
{
    char buffer[1024];
    struct text text;

    must(lease->address && lease->netmask && lease->server && lease->next_server);
    must(lease->renew <= lease->rebind && lease->rebind <= lease->seconds && lease->seconds);
    must(lease->route_count <= LEASE_ROUTES && lease->dns_count <= LEASE_SERVERS);
    for (unsigned i = 0; i < lease->route_count; i++)
        must((lease->routes[i].destination & ~lease->routes[i].netmask) == 0);
    must(!strpbrk(lease->domain, " \n\t#;") && !strpbrk(lease->host, " \n/."));
    text_start(&text, buffer, sizeof(buffer));
    lease_resolver(lease, NULL, 0, &text);
    must(!text.cut);
}

/* All that is due now. */
static void turn(struct dhcp_client *client, int64_t now)
{
    struct dhcp_client_message message;
    struct dhcp_packet packet;
    enum dhcp_client_event event;
    unsigned turns = 0;

    while ((event = dhcp_client_due(client, now, &message)) != DHCP_NOTHING) {
        must(++turns < 8);
        if (event != DHCP_SEND)
            continue;
        must(dhcp_parse(message.data, message.size, &packet) == DHCP_OK && packet.op == DHCP_BOOTREQUEST);
        must(message.destination != 0);
    }
    must(client->next > now);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct dhcp_client client = {
        .mac = {{0x52, 0x54, 0, 0, 0, 1}}, .mtu = 1500, .slowest = 8000, .random = 1};
    struct reader all = reader_of(data, size), payload;
    struct udp4 udp;
    int64_t now = 1;

    (void)udp4_read(data, size, &udp, &payload);
    dhcp_client_begin(&client, now);
    while (all.left) {
        turn(&client, now);
        size_t length = reader_u16(&all);
        now += (int64_t)reader_u8(&all) * 1000;
        struct reader packet = reader_sub(&all, length);
        if (packet.failed)
            break;
        /* Nobody guesses the number of the exchange; here they have it. */
        uint8_t *copy = malloc(length + 1);
        must(copy != NULL);
        memcpy(copy, packet.p, length);
        if (length >= 8) {
            struct writer xid = writer_of(copy + 4, 4);
            writer_u32(&xid, client.xid);
        }
        if (dhcp_client_take(&client, now, copy, length) == DHCP_GIVEN)
            check_lease(&client.lease);
        free(copy);
    }
    return 0;
}
