/* See options.h. */
#include "options.h"
#include "base/cleanup.h"
#include "base/str.h"

#include <errno.h>
#include <stddef.h>

enum kind { FLAG, TEXT, NUMBER, SECONDS, ADDRESS, HARDWARE };

static const struct option_spec {
    const char *name, *value, *help;
    enum kind kind;
    size_t offset;
    uint64_t min, max;
} option_specs[] = {
#define AT(member) offsetof(struct options, member)
    {"--server", "ADDRESS", "ask it as a relay agent", ADDRESS, AT(server), 0, 0},
    {"--address", "ADDRESS", "our address as a relay agent (the one towards the server)", ADDRESS,
     AT(address), 0, 0},
    {"--direct", NULL, "as machines on the link, by frames with their own MAC addresses", FLAG, AT(direct), 0,
     0},
    {"--interface", "NAME", "the interface for --direct", TEXT, AT(interface), 0, 0},
    {"--clients", "N", "how many clients (1000)", NUMBER, AT(clients), 1, CLIENTS_MAX},
    {"--mac", "FIRST", "MAC address of the first, which counts up (02:00:00:00:00:00)", HARDWARE, AT(mac), 0,
     0},
    {"--exchanges", "N", "exchanges in all, clients taking turns (one each)", NUMBER, AT(exchanges), 1,
     UINT32_MAX},
    {"--window", "N", "exchanges under way at once (256)", NUMBER, AT(window), 1, CLIENTS_MAX},
    {"--rate", "R", "begin R exchanges a second instead, whatever the server does", NUMBER, AT(rate), 1,
     10000000},
    {"--burst", NULL, "begin all in the same instant instead", FLAG, AT(burst), 0, 0},
    {"--pxe", NULL, "what a PXE ROM sends: options 60, 93, 94, 97", FLAG, AT(pxe), 0, 0},
    {"--client-id", NULL, "with option 61", FLAG, AT(client_id), 0, 0},
    {"--broadcast", NULL, "with the BROADCAST flag", FLAG, AT(broadcast), 0, 0},
    {"--renew", "FILE", "clients that have the addresses in FILE (MAC ADDRESS, a line each) renew them", TEXT,
     AT(renew), 0, 0},
    {"--reboot", "FILE", "clients that had the addresses in FILE ask for them again (INIT-REBOOT)", TEXT,
     AT(reboot), 0, 0},
    {"--owned", "FILE", "addresses that belong to others: a client that gets one is a duplicate", TEXT,
     AT(owned), 0, 0},
    {"--acked", "FILE", "append each acknowledged lease, as soon as it was received", TEXT, AT(acked), 0, 0},
    {"--retransmit", "S", "first delay of a retransmission, doubling; 0: never (4)", SECONDS,
     AT(retransmit_ms), 0, 16000},
    {"--duration", "S", "begin nothing new after S seconds", SECONDS, AT(duration_ms), 1, 3600000},
    {"--timeout", "S", "end after S seconds (60)", SECONDS, AT(timeout_ms), 1, 3600000},
    {"--json", NULL, "print one JSON object", FLAG, AT(json), 0, 0},
    {"--help", NULL, "print this", FLAG, AT(help), 0, 0},
#undef AT
};

void options_usage(FILE *out)
{
    fprintf(out, "usage: dhcp-storm --server ADDRESS [OPTION...]\n"
                 "       dhcp-storm --direct --interface NAME [OPTION...]\n\n");
    for (size_t i = 0; i < ARRAY_SIZE(option_specs); i++) {
        const struct option_spec *o = &option_specs[i];
        fprintf(out, "  %-13s %-8s %s\n", o->name, o->value ? o->value : "", o->help);
    }
    fprintf(out, "\nexamples: dhcp-storm --server 10.0.0.1 --clients 50000 --window 512\n"
                 "          dhcp-storm --direct --interface eth0 --clients 10000 --burst --pxe\n");
}

static int parse_ms(const char *text, uint64_t min, uint64_t max, uint64_t *ret_ms)
{
    char *end;
    errno = 0;
    double seconds = strtod(text, &end);
    if (end == text || *end || errno || !(seconds >= 0 && seconds * 1000 <= (double)max))
        return -EINVAL;
    *ret_ms = (uint64_t)(seconds * 1000 + 0.5);
    return *ret_ms < min ? -ERANGE : 0;
}

static int take_value(const struct option_spec *spec, const char *value, void *target)
{
    switch (spec->kind) {
    case FLAG:
        return *(bool *)target = true, 0;
    case TEXT:
        return *(const char **)target = value, 0;
    case NUMBER:
        return parse_u64(value, spec->min, spec->max, target);
    case SECONDS:
        return parse_ms(value, spec->min, spec->max, target);
    case ADDRESS:
        return ipv4_parse(value, target);
    case HARDWARE:
        return mac_parse(value, target);
    }
    return -EINVAL;
}

int options_take(int argc, char **argv, struct options *options)
{
    for (int i = 1; i < argc; i++) {
        const struct option_spec *spec = option_specs, *end = spec + ARRAY_SIZE(option_specs);
        while (spec < end && !str_eq(spec->name, argv[i]))
            spec++;
        if (spec == end) {
            fprintf(stderr, "dhcp-storm: there is no option %s: see dhcp-storm --help\n", argv[i]);
            return -EINVAL;
        }
        const char *value = spec->value ? argv[++i] : "";
        if (value && take_value(spec, value, (char *)options + spec->offset) == 0)
            continue;
        fprintf(stderr, "dhcp-storm: %s wants %s, not %s", spec->name, spec->value,
                value ? value : "nothing");
        if (spec->kind == NUMBER)
            fprintf(stderr, ": %ju to %ju", (uintmax_t)spec->min, (uintmax_t)spec->max);
        fputs("\n", stderr);
        return -EINVAL;
    }
    if (options->help)
        return 0;
    if (options->direct ? !options->interface || options->renew : !options->server) {
        fprintf(stderr, "dhcp-storm: either --server ADDRESS, or --direct --interface NAME without --renew "
                        "(whose replies go to addresses that no machine here has)\n");
        return -EINVAL;
    }
    return 0;
}
