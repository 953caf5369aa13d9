/* rambox hxip: H10, addresses as PXELINUX names them. */
#include "base/addr.h"
#include "base/str.h"
#include "cli/command.h"

#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>

/* The address that `name` is or resolves to; the first one when it has several. 0 or a getaddrinfo error. */
static int resolve(const char *name, ipv4_t *ret_address)
{
    if (ipv4_parse(name, ret_address) == 0)
        return 0;
    struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_DGRAM}, *list = NULL;
    int r = getaddrinfo(name, NULL, &hints, &list);
    if (r != 0)
        return r;
    const struct sockaddr_in *address = (const struct sockaddr_in *)(const void *)list->ai_addr;
    *ret_address = ntohl(address->sin_addr.s_addr);
    freeaddrinfo(list);
    return 0;
}

/* One argument: printed, or put into `document`. Returns 0, or 1 after saying why it has no address. */
static int one(const char *name, bool alone, json_t *document)
{
    ipv4_t address;
    char hex[HXIP_TEXT_MAX], text[IPV4_TEXT_MAX];
    int r = resolve(name, &address);
    if (r != 0) {
        fprintf(stderr, "rambox: error: %s has no IPv4 address: %s\n", name, gai_strerror(r));
        return 1;
    }
    ipv4_hex(address, hex);
    if (document)
        json_array_append_new(document, json_pack("{s:s, s:s, s:s}", "name", name, "ip",
                                                  ipv4_format(address, text), "hex", hex));
    else if (alone)
        printf("%s\n", hex);
    else
        printf("%s %s\n", name, hex);
    return 0;
}

static int run(struct context *context, int argc, char **argv)
{
    static const struct option_spec options[] = {{0}};
    int n = parse_options(&command_hxip, options, argc, argv), failed = 0;
    if (n < 0)
        return 2;
    if (n == 0)
        return usage_error(&command_hxip, "which address or host?");
    json_t *document = context->json ? json_array() : NULL;
    for (int i = 1; i <= n; i++)
        failed |= one(argv[i], n == 1, document);
    if (document)
        print_json(document);
    return failed;
}

const struct command command_hxip = {
    .name = "hxip",
    .synopsis = "ADDRESS|HOST...",
    .summary = "print IPv4 addresses as the eight hexadecimal digits PXELINUX asks for",
    .help =
        "A host name is resolved. One argument prints the digits alone; several print the name before them.\n"
        "\n"
        "Examples:\n"
        "  rambox hxip 192.168.7.11\n"
        "  rambox hxip n1.lab.example n2.lab.example\n",
    .run = run,
};
