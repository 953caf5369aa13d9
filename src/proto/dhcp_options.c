/* The registry of DHCP options; the contract is in proto/dhcp_options.h. Text and bytes are in
 * proto/dhcp_option_text.c. */
#include "proto/dhcp_options.h"
#include "base/cleanup.h"

#include <errno.h>

/* Why people cannot set an option. */
#define PROTOCOL "it is part of the protocol itself and has no lasting value"
#define CLIENTS  "it is what a client says, not a server"
#define RELAYS   "it is what relay agents say, and comes back to them as it was"
#define PREFIX   "it follows from the \"prefix\" of the subnet"

/* By code. The kinds are those of the RFCs that IANA's registry names; an option whose content is a structure
 * of its own is bytes. */
static const struct dhcp_option_spec specs[256] = {
#define OPTION(code_, name_, kind_, ...)                                                                     \
    [code_] = {.code = (code_), .name = (name_), .kind = DHCP_KIND_##kind_, __VA_ARGS__}
#define LIST        .list = true
#define NOT(reason) .instead = reason
    [0] = {.code = 0, .kind = DHCP_KIND_HEX, .instead = "it is padding"},
    OPTION(1, "subnet-mask", IPV4, NOT(PREFIX)),
    OPTION(2, "time-offset", S32),
    OPTION(3, "routers", IPV4, LIST),
    OPTION(4, "time-servers", IPV4, LIST),
    OPTION(5, "name-servers", IPV4, LIST),
    OPTION(6, "domain-name-servers", IPV4, LIST),
    OPTION(7, "log-servers", IPV4, LIST),
    OPTION(8, "cookie-servers", IPV4, LIST),
    OPTION(9, "lpr-servers", IPV4, LIST),
    OPTION(10, "impress-servers", IPV4, LIST),
    OPTION(11, "resource-location-servers", IPV4, LIST),
    OPTION(12, "host-name", TEXT, NOT("a node is told its own name, that of \"node\"")),
    OPTION(13, "boot-size", U16, .min = 1),
    OPTION(14, "merit-dump", TEXT),
    OPTION(15, "domain-name", TEXT),
    OPTION(16, "swap-server", IPV4),
    OPTION(17, "root-path", TEXT),
    OPTION(18, "extensions-path", TEXT),
    OPTION(19, "ip-forwarding", BOOL),
    OPTION(20, "non-local-source-routing", BOOL),
    OPTION(21, "policy-filter", PAIR, LIST),
    OPTION(22, "max-dgram-reassembly", U16, .min = 576),
    OPTION(23, "default-ip-ttl", U8, .min = 1),
    OPTION(24, "path-mtu-aging-timeout", U32),
    OPTION(25, "path-mtu-plateau-table", U16, LIST, .min = 68),
    OPTION(26, "interface-mtu", U16, .min = 68),
    OPTION(27, "all-subnets-local", BOOL),
    OPTION(28, "broadcast-address", IPV4, NOT(PREFIX)),
    OPTION(29, "perform-mask-discovery", BOOL),
    OPTION(30, "mask-supplier", BOOL),
    OPTION(31, "router-discovery", BOOL),
    OPTION(32, "router-solicitation-address", IPV4),
    OPTION(33, "static-routes", PAIR, LIST),
    OPTION(34, "trailer-encapsulation", BOOL),
    OPTION(35, "arp-cache-timeout", U32),
    OPTION(36, "ieee802-3-encapsulation", BOOL),
    OPTION(37, "default-tcp-ttl", U8, .min = 1),
    OPTION(38, "tcp-keepalive-interval", U32),
    OPTION(39, "tcp-keepalive-garbage", BOOL),
    OPTION(40, "nis-domain", TEXT),
    OPTION(41, "nis-servers", IPV4, LIST),
    OPTION(42, "ntp-servers", IPV4, LIST),
    OPTION(43, "vendor-encapsulated-options", HEX),
    OPTION(44, "netbios-name-servers", IPV4, LIST),
    OPTION(45, "netbios-dd-server", IPV4, LIST),
    OPTION(46, "netbios-node-type", U8, .min = 1),
    OPTION(47, "netbios-scope", TEXT),
    OPTION(48, "font-servers", IPV4, LIST),
    OPTION(49, "x-display-manager", IPV4, LIST),
    OPTION(50, "dhcp-requested-address", IPV4, NOT(CLIENTS)),
    OPTION(51, "dhcp-lease-time", U32, NOT("\"lease\" of the subnet says it")),
    OPTION(52, "dhcp-option-overload", U8, NOT(PROTOCOL)),
    OPTION(53, "dhcp-message-type", U8, NOT(PROTOCOL)),
    OPTION(54, "dhcp-server-identifier", IPV4, NOT(PROTOCOL)),
    OPTION(55, "dhcp-parameter-request-list", HEX, NOT(CLIENTS)),
    OPTION(56, "dhcp-message", TEXT, NOT(PROTOCOL)),
    OPTION(57, "dhcp-max-message-size", U16, NOT(CLIENTS)),
    OPTION(58, "dhcp-renewal-time", U32, NOT("\"renew\" of the subnet says it")),
    OPTION(59, "dhcp-rebinding-time", U32, NOT("\"rebind\" of the subnet says it")),
    OPTION(60, "vendor-class-identifier", TEXT),
    OPTION(61, "dhcp-client-identifier", HEX, NOT(CLIENTS)),
    OPTION(62, "nwip-domain-name", TEXT),
    OPTION(63, "nwip-suboptions", HEX),
    OPTION(64, "nisplus-domain-name", TEXT),
    OPTION(65, "nisplus-servers", IPV4, LIST),
    OPTION(66, "tftp-server-name", TEXT),
    OPTION(67, "boot-file-name", TEXT, NOT("\"boot_file\" of a profile or a class says it")),
    OPTION(68, "mobile-ip-home-agent", IPV4, LIST),
    OPTION(69, "smtp-server", IPV4, LIST),
    OPTION(70, "pop-server", IPV4, LIST),
    OPTION(71, "nntp-server", IPV4, LIST),
    OPTION(72, "www-server", IPV4, LIST),
    OPTION(73, "finger-server", IPV4, LIST),
    OPTION(74, "irc-server", IPV4, LIST),
    OPTION(75, "streettalk-server", IPV4, LIST),
    OPTION(76, "streettalk-directory-assistance-server", IPV4, LIST),
    OPTION(77, "user-class", HEX, NOT(CLIENTS)),
    OPTION(78, "slp-directory-agent", HEX),
    OPTION(79, "slp-service-scope", HEX),
    OPTION(80, "rapid-commit", HEX, NOT(PROTOCOL)),
    OPTION(81, "fqdn", HEX, NOT("it answers what a client says of its own name")),
    OPTION(82, "dhcp-agent-options", HEX, NOT(RELAYS)),
    OPTION(83, "isns", HEX),
    OPTION(85, "nds-servers", IPV4, LIST),
    OPTION(86, "nds-tree-name", TEXT),
    OPTION(87, "nds-context", TEXT),
    OPTION(88, "bcms-controller-names", DOMAIN, LIST),
    OPTION(89, "bcms-controller-address", IPV4, LIST),
    OPTION(90, "authentication", HEX, NOT(PROTOCOL)),
    OPTION(91, "client-last-transaction-time", U32, NOT(PROTOCOL)),
    OPTION(92, "associated-ip", IPV4, LIST, NOT(PROTOCOL)),
    OPTION(93, "client-system", U16, LIST, NOT(CLIENTS)),
    OPTION(94, "client-ndi", HEX, NOT(CLIENTS)),
    OPTION(97, "uuid-guid", HEX, NOT(CLIENTS)),
    OPTION(98, "uap-servers", TEXT),
    OPTION(99, "geoconf-civic", HEX),
    OPTION(100, "pcode", TEXT),
    OPTION(101, "tcode", TEXT),
    OPTION(108, "v6-only-preferred", U32, NOT("\"ipv6_only\" of the subnet says it")),
    OPTION(109, "dhcp4o6-s46-saddr", HEX),
    OPTION(112, "netinfo-server-address", IPV4, LIST),
    OPTION(113, "netinfo-server-tag", TEXT),
    OPTION(114, "v4-captive-portal", TEXT),
    OPTION(116, "auto-config", U8),
    OPTION(117, "name-service-search", U16, LIST),
    OPTION(118, "subnet-selection", IPV4, NOT(CLIENTS)),
    OPTION(119, "domain-search", SEARCH, LIST),
    OPTION(120, "sip-servers", SIP, LIST),
    OPTION(121, "classless-static-routes", ROUTE, LIST),
    OPTION(122, "cablelabs-client-configuration", HEX),
    OPTION(123, "geoconf", HEX),
    OPTION(124, "vivco-suboptions", HEX),
    OPTION(125, "vivso-suboptions", HEX),
    OPTION(136, "pana-agent", IPV4, LIST),
    OPTION(137, "v4-lost", DOMAIN),
    OPTION(138, "capwap-ac-v4", IPV4, LIST),
    OPTION(139, "ipv4-address-mos", HEX),
    OPTION(140, "ipv4-fqdn-mos", HEX),
    OPTION(141, "sip-ua-cs-domains", DOMAIN, LIST),
    OPTION(142, "ipv4-address-andsf", IPV4, LIST),
    OPTION(143, "v4-sztp-redirect", HEX),
    OPTION(144, "geoloc", HEX),
    OPTION(145, "forcerenew-nonce-capable", HEX, NOT(PROTOCOL)),
    OPTION(146, "rdnss-selection", HEX),
    OPTION(147, "v4-dots-ri", DOMAIN),
    OPTION(148, "v4-dots-address", IPV4, LIST),
    OPTION(150, "tftp-server-address", IPV4, LIST),
    OPTION(151, "status-code", HEX, NOT(PROTOCOL)),
    OPTION(152, "base-time", U32, NOT(PROTOCOL)),
    OPTION(153, "start-time-of-state", U32, NOT(PROTOCOL)),
    OPTION(154, "query-start-time", U32, NOT(PROTOCOL)),
    OPTION(155, "query-end-time", U32, NOT(PROTOCOL)),
    OPTION(156, "dhcp-state", U8, NOT(PROTOCOL)),
    OPTION(157, "data-source", U8, NOT(PROTOCOL)),
    OPTION(158, "v4-pcp-server", HEX),
    OPTION(159, "v4-portparams", HEX),
    OPTION(161, "mud-url", TEXT, NOT(CLIENTS)),
    OPTION(162, "v4-dnr", HEX),
    OPTION(175, "etherboot", HEX, NOT("rambox answers iPXE with it")),
    OPTION(208, "pxelinux-magic", HEX),
    OPTION(209, "loader-configfile", TEXT),
    OPTION(210, "loader-pathprefix", TEXT),
    OPTION(211, "loader-reboottime", U32),
    OPTION(212, "option-6rd", HEX),
    OPTION(213, "v4-access-domain", DOMAIN),
    OPTION(220, "subnet-allocation", HEX, NOT(PROTOCOL)),
    OPTION(221, "virtual-subnet-selection", HEX, NOT(RELAYS)),
    OPTION(249, "ms-classless-static-routes", ROUTE, LIST),
    OPTION(252, "wpad-url", TEXT),
    [255] = {.code = 255, .kind = DHCP_KIND_HEX, .instead = "it is the end of the options"},
#undef OPTION
#undef LIST
#undef NOT
};

struct dhcp_option_spec dhcp_option_by_code(uint8_t code)
{
    const struct dhcp_option_spec *spec = &specs[code];
    return spec->name || spec->instead ? *spec
                                       : (struct dhcp_option_spec){.code = code, .kind = DHCP_KIND_TEXT};
}

const struct dhcp_option_spec *dhcp_option_by_name(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(specs); i++)
        if (specs[i].name && str_eq(specs[i].name, name))
            return &specs[i];
    return NULL;
}

const char *dhcp_option_nearest(const char *name)
{
    const char *names[ARRAY_SIZE(specs) + 1];
    size_t n = 0;
    for (size_t i = 0; i < ARRAY_SIZE(specs); i++)
        if (specs[i].name)
            names[n++] = specs[i].name;
    names[n] = NULL;
    return nearest_word(name, names);
}

struct dhcp_option_spec dhcp_option_as(uint8_t code, enum dhcp_kind kind)
{
    struct dhcp_option_spec spec = dhcp_option_by_code(code);
    /* The range of a registered number holds for whoever writes that number out. */
    if (spec.kind != kind)
        spec.min = 0;
    spec.kind = kind;
    spec.list = kind != DHCP_KIND_TEXT && kind != DHCP_KIND_HEX;
    return spec;
}
