/* proto/ndp.h: any bytes as an IPv6 packet; what we answer is whole, and is no solicitation itself. */
#include "proto/ndp.h"

#include <assert.h>
#include <errno.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct ipv6 own = {{0xfe, 0x80, [15] = 1}};
    struct ipv6 solicitor;
    uint8_t answer[NDP_ADVERTISEMENT_SIZE];
    struct writer w = writer_of(answer, sizeof(answer));
    if (ndp_read_solicitation(data, size, &solicitor) < 0)
        return 0;
    ndp_write_advertisement(&w, &own, &solicitor);
    assert(!w.failed && w.used == NDP_ADVERTISEMENT_SIZE);
    assert(ndp_read_solicitation(answer, w.used, &solicitor) == -ENOMSG);
    return 0;
}
