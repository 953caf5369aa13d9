/* See options.h. */
#include "dhcp/options.h"
#include "base/cleanup.h"
#include "common/options.h"

#include <errno.h>
#include <stddef.h>

static const struct option_spec option_specs[] = {
#define AT(member) offsetof(struct options, member)
    {"--server", "ADDRESS", "ask it as a relay agent", OPTION_ADDRESS, AT(server), 0, 0},
    {"--address", "ADDRESS", "our address as a relay agent (the one towards the server)", OPTION_ADDRESS,
     AT(address), 0, 0},
    {"--direct", NULL, "as machines on the link, by frames with their own MAC addresses", OPTION_FLAG,
     AT(direct), 0, 0},
    {"--interface", "NAME", "the interface for --direct", OPTION_TEXT, AT(interface), 0, 0},
    {"--clients", "N", "how many clients (1000)", OPTION_NUMBER, AT(clients), 1, CLIENTS_MAX},
    {"--mac", "FIRST", "MAC address of the first, which counts up (02:00:00:00:00:00)", OPTION_MAC, AT(mac),
     0, 0},
    {"--exchanges", "N", "exchanges in all, clients taking turns (one each)", OPTION_NUMBER, AT(exchanges), 1,
     UINT32_MAX},
    {"--window", "N", "exchanges under way at once (256)", OPTION_NUMBER, AT(window), 1, CLIENTS_MAX},
    {"--rate", "R", "begin R exchanges a second instead, whatever the server does", OPTION_NUMBER, AT(rate),
     1, 10000000},
    {"--burst", NULL, "begin all in the same instant instead", OPTION_FLAG, AT(burst), 0, 0},
    {"--pxe", NULL, "what a PXE ROM sends: options 60, 93, 94, 97", OPTION_FLAG, AT(pxe), 0, 0},
    {"--client-id", NULL, "with option 61", OPTION_FLAG, AT(client_id), 0, 0},
    {"--broadcast", NULL, "with the BROADCAST flag", OPTION_FLAG, AT(broadcast), 0, 0},
    {"--renew", "FILE", "clients that have the addresses in FILE (MAC ADDRESS, a line each) renew them",
     OPTION_TEXT, AT(renew), 0, 0},
    {"--reboot", "FILE", "clients that had the addresses in FILE ask for them again (INIT-REBOOT)",
     OPTION_TEXT, AT(reboot), 0, 0},
    {"--owned", "FILE", "addresses that belong to others: a client that gets one is a duplicate", OPTION_TEXT,
     AT(owned), 0, 0},
    {"--acked", "FILE", "append each acknowledged lease, as soon as it was received", OPTION_TEXT, AT(acked),
     0, 0},
    {"--retransmit", "S", "first delay of a retransmission, doubling; 0: never (4)", OPTION_SECONDS,
     AT(retransmit_ms), 0, 16000},
    {"--duration", "S", "begin nothing new after S seconds", OPTION_SECONDS, AT(duration_ms), 1, 3600000},
    {"--timeout", "S", "end after S seconds (60)", OPTION_SECONDS, AT(timeout_ms), 1, 3600000},
    {"--json", NULL, "print one JSON object", OPTION_FLAG, AT(json), 0, 0},
    {"--help", NULL, "print this", OPTION_FLAG, AT(help), 0, 0},
#undef AT
};

static const struct option_table table = {
    .program = "dhcp-storm",
    .usage = "usage: dhcp-storm --server ADDRESS [OPTION...]\n"
             "       dhcp-storm --direct --interface NAME [OPTION...]\n\n",
    .examples = "\nexamples: dhcp-storm --server 10.0.0.1 --clients 50000 --window 512\n"
                "          dhcp-storm --direct --interface eth0 --clients 10000 --burst --pxe\n",
    .specs = option_specs,
    .n = ARRAY_SIZE(option_specs),
};

void storm_usage(FILE *out)
{
    options_usage(&table, out);
}

int storm_options(int argc, char **argv, struct options *options)
{
    if (options_take(&table, argc, argv, options) < 0)
        return -EINVAL;
    if (options->help)
        return 0;
    if (options->direct ? !options->interface || options->renew : !options->server) {
        fprintf(stderr, "dhcp-storm: either --server ADDRESS, or --direct --interface NAME without --renew "
                        "(whose replies go to addresses that no machine here has)\n");
        return -EINVAL;
    }
    return 0;
}
