/* proto/probe.h: any bytes as an ARP packet and as a raw socket's packet; what we ask is no answer itself. */
#include "proto/probe.h"

#include <assert.h>
#include <errno.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t probe[ARP_SIZE];
    struct writer w = writer_of(probe, sizeof(probe));
    struct mac mac = {{0}};
    ipv4_t ip = 0;
    if (arp_read(data, size, &ip, &mac) == 0) {
        assert(ip != 0 && size >= ARP_SIZE);
        arp_write_probe(&w, &mac, ip);
        assert(!w.failed && w.used == ARP_SIZE);
        assert(arp_read(probe, w.used, &ip, &mac) == -ENOMSG);
    }
    /* The corpus answers id 0x1234, secret 0x0102030405060708. */
    int r = echo_read_reply(data, size, 0x1234, UINT64_C(0x0102030405060708), &ip);
    assert(r == 0 || r == -ENOMSG || r == -EBADMSG);
    assert(r != 0 || size >= 20 + ECHO_SIZE);
    return 0;
}
