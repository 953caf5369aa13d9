/* PXE without the addresses (PXE 2.1 §2.2; P5, P7): a subnet whose addresses another DHCP server gives, and
 * port 4011, where firmware that has its address asks for the boot file alone. */
#include "serve/dhcp_internal.h"

enum dhcp_verdict process_boot_server(struct exchange *x)
{
    enum dhcp_type type = x->packet->type;
    if (type != DHCP_DISCOVER && type != DHCP_REQUEST && type != DHCP_INFORM)
        return silent(x, SILENCE_TYPE, "%s on port %d", dhcp_type_name(type), PXE_PORT);
    return reply_boot_only(x, DHCP_ACK);
}

/* A firmware's DISCOVER gets an OFFER beside the other server's; its REQUEST is the other server's business.
 * All that is not firmware is too. */
enum dhcp_verdict process_proxy(struct exchange *x)
{
    if (x->arrival->to_port == PXE_PORT)
        return process_boot_server(x);
    if (x->pxe.class != PXE_NONE && x->packet->type == DHCP_DISCOVER)
        return reply_boot_only(x, DHCP_OFFER);
    if (x->pxe.class != PXE_NONE && x->packet->type == DHCP_INFORM)
        return reply_boot_only(x, DHCP_ACK);
    return silent(x, SILENCE_PROXY, "another server gives the addresses of subnet %s", x->subnet->name);
}
