/* What the answers of a network's servers mean; the contract is in doctor/lan.h. */
#include "base/str.h"
#include "doctor/lan.h"
#include "proto/pxe.h"

#include <stdio.h>

static bool is_foreign(const struct lan *lan, const struct server_heard *server)
{
    return !(server->local && lan->own_runs);
}

/* What a foreign server says: an address, a boot file, to whom. */
static void describe(const struct lan *lan, const struct server_heard *server, struct str *text)
{
    char name[SERVER_TEXT_MAX], ip[IPV4_TEXT_MAX], mac[MAC_TEXT_MAX];
    const struct answer *offer = NULL, *boot = NULL;
    for (size_t i = 0; i < lan->answers->probes_n; i++) {
        const struct answer *answer = &server->to[i];
        if (answer->heard && answer->ip && !offer)
            offer = answer;
        if (answer->heard && answer->file[0] && !boot)
            boot = answer;
    }
    str_printf(text, "%s%s", server_format(server, name), server->local ? " on this machine" : "");
    if (!server->gives_address)
        str_add(text, ", a proxyDHCP server");
    if (offer)
        str_printf(text, ", offers %s", ipv4_format(offer->ip, ip));
    if (boot)
        str_printf(text, "%s boot file \"%s\"%s%s", offer ? " and" : ", offers", boot->file,
                   boot->next_server ? " from " : "",
                   boot->next_server ? ipv4_format(boot->next_server, ip) : "");
    else if (server->boots)
        str_add(text, ", speaks to PXE firmware");
    if (server->to_others)
        str_printf(text, ", answers %u other message%s, the last to %s", server->to_others,
                   server->to_others == 1 ? "" : "s", mac_format(&server->other, mac));
    if (server->to_others && server->other_ip)
        str_printf(text, " with %s", ipv4_format(server->other_ip, ip));
}

/* One foreign server, on a network where we give the addresses. */
static void judge_rogue(const struct lan *lan, const struct server_heard *server, struct findings *findings)
{
    cleanup_str struct str text = {0};
    char mac[MAC_TEXT_MAX];
    describe(lan, server, &text);
    finding_add(findings, lan->iface->name, RESULT_PROBLEM, "another server answers: %s", str_text(&text));
    if (server->local)
        finding_advise(findings, "stop it, or keep it off this interface");
    else if (server->gives_address)
        finding_advise(
            findings,
            "find it by its MAC address (bridge fdb show, or the switch's table: %s) and stop it; when "
            "it shall give the addresses here, say dhcp: proxy in the subnet",
            mac_format(&server->mac, mac));
    else
        finding_advise(findings,
                       "stop it: firmware may boot what it says instead of what rambox says; its MAC address "
                       "is %s",
                       mac_format(&server->mac, mac));
}

/* P7: where another server gives the addresses, there must be one, and only we may say what to boot. */
static void judge_proxied(const struct lan *lan, const struct server_heard *server, struct findings *findings)
{
    cleanup_str struct str text = {0};
    describe(lan, server, &text);
    if (!server->gives_address) {
        finding_add(findings, lan->iface->name, RESULT_PROBLEM, "a second proxyDHCP server answers: %s",
                    str_text(&text));
        finding_advise(findings, "stop it: which of the two firmware follows is chance");
    } else if (server->boots) {
        finding_add(findings, lan->iface->name, RESULT_WARNING,
                    "the server that gives the addresses names a boot file too: %s", str_text(&text));
        finding_advise(findings, "take next server and boot file out of its configuration");
    } else {
        finding_add(findings, lan->iface->name, RESULT_OK, "the server that gives the addresses: %s",
                    str_text(&text));
    }
}

/* Servers that give addresses, each once: one behind two relays is heard from two, but has one server id. */
static size_t address_servers(const struct lan *lan)
{
    const struct answers *a = lan->answers;
    size_t n = 0;
    for (size_t i = 0; i < a->servers_n; i++) {
        bool again = false;
        for (size_t j = 0; j < i; j++)
            again |= is_foreign(lan, &a->servers[j]) && a->servers[j].gives_address &&
                     a->servers[j].id == a->servers[i].id;
        n += is_foreign(lan, &a->servers[i]) && a->servers[i].gives_address && !again;
    }
    return n;
}

static void judge_number(const struct lan *lan, bool proxy, size_t foreign, struct findings *findings)
{
    size_t n = address_servers(lan);
    if (proxy && n == 0) {
        finding_add(findings, lan->iface->name, RESULT_PROBLEM,
                    "no DHCP server gives addresses, and subnet %s leaves that to another (dhcp: proxy)",
                    lan->subnet->name);
        finding_advise(findings, "start that server, or say dhcp: full in the subnet");
    } else if (proxy && n > 1) {
        finding_add(findings, lan->iface->name, RESULT_PROBLEM, "%zu DHCP servers give addresses", n);
        finding_advise(findings, "leave one of them: two give one address to two machines");
    } else if (!proxy && !foreign) {
        finding_add(findings, lan->iface->name, RESULT_OK, "no other DHCP server answers");
    }
}

void judge_other_servers(const struct lan *lan, struct findings *findings)
{
    const struct answers *a = lan->answers;
    bool proxy = lan->subnet && lan->subnet->mode == DHCP_PROXY;
    size_t foreign = 0;
    for (size_t i = 0; i < a->servers_n; i++) {
        if (!is_foreign(lan, &a->servers[i]))
            continue;
        foreign++;
        if (proxy)
            judge_proxied(lan, &a->servers[i], findings);
        else
            judge_rogue(lan, &a->servers[i], findings);
    }
    judge_number(lan, proxy, foreign, findings);
    if (a->malformed) {
        finding_add(findings, lan->iface->name, RESULT_WARNING, "%u answers are no DHCP messages",
                    a->malformed);
        finding_advise(findings, "look at them: tcpdump -vni %s udp port 68", lan->iface->name);
    }
    if (a->not_held) {
        finding_add(findings, lan->iface->name, RESULT_PROBLEM,
                    "more than %d servers answer; %u answers of more are not shown", SERVERS_MAX,
                    a->not_held);
        finding_advise(findings, "somebody sends forged answers: find the port they come in at");
    }
}

/* ---- our own server ---- */

/* `n1 (52:54:00:00:00:01)`, or `an unknown machine (...)`. */
static void known_name(const struct lan *lan, struct str *text)
{
    char mac[MAC_TEXT_MAX];
    str_printf(text, "%s (%s)", lan->node ? lan->node->name : "an unknown machine",
               mac_format(&lan->answers->probes[PROBE_KNOWN].probe.mac, mac));
}

static void judge_silent(const struct lan *lan, struct findings *findings)
{
    cleanup_str struct str name = {0};
    known_name(lan, &name);
    if (lan->no_link) {
        finding_add(findings, lan->iface->name, RESULT_WARNING,
                    "rambox serve cannot be asked without a link");
        finding_advise(findings, "see the check of the link");
        return;
    }
    finding_add(findings, lan->iface->name, RESULT_PROBLEM, "rambox serve gives %s no answer",
                str_text(&name));
    finding_advise(
        findings,
        "its log says why (journalctl -u rambox); when the log has nothing either, the packets do not reach "
        "it: rambox firewall prints the rules that it needs");
}

static void judge_answer(const struct lan *lan, const struct answer *answer, struct findings *findings)
{
    cleanup_str struct str name = {0};
    char ip[IPV4_TEXT_MAX], next[IPV4_TEXT_MAX];
    const char *iface = lan->iface->name;
    bool proxy = lan->subnet->mode == DHCP_PROXY;
    known_name(lan, &name);
    if (lan->node && lan->node->ip && answer->ip && answer->ip != lan->node->ip) {
        finding_add(findings, iface, RESULT_PROBLEM,
                    "%s is offered %s, which is not the address of its entry", str_text(&name),
                    ipv4_format(answer->ip, ip));
        finding_advise(findings, "the server may serve another generation: rambox generation list");
    } else if (!proxy && !answer->ip) {
        finding_add(findings, iface, RESULT_PROBLEM, "%s is offered no address", str_text(&name));
        finding_advise(findings, "the server may serve another generation: rambox generation list");
    } else if (!answer->file[0]) {
        finding_add(findings, iface, RESULT_PROBLEM, "%s is told no boot file for BIOS firmware",
                    str_text(&name));
        finding_advise(findings, "its log says why: journalctl -u rambox");
    } else {
        finding_add(findings, iface, RESULT_OK, "answers %s%s%s, boot file \"%s\" from %s, after %.1f ms",
                    str_text(&name), answer->ip ? " with " : "",
                    answer->ip ? ipv4_format(answer->ip, ip) : "", answer->file,
                    ipv4_format(answer->next_server ? answer->next_server : lan->iface->address, next),
                    (double)answer->after_us / 1000);
    }
}

void judge_own_server(const struct lan *lan, const char *dhcp_owner, struct findings *findings)
{
    const char *iface = lan->iface->name;
    const struct server_heard *own = lan_own(lan);
    if (!lan->own_runs) {
        finding_add(findings, iface, RESULT_PROBLEM, "rambox serve does not run: UDP port %u is held by %s",
                    lan->answers->server_port, dhcp_owner[0] ? dhcp_owner : "nobody");
        finding_advise(findings, dhcp_owner[0]
                                     ? "stop that program, then: systemctl start rambox"
                                     : "systemctl start rambox; why it ended: journalctl -u rambox");
    } else if (!lan->subnet) {
        finding_add(findings, iface, RESULT_PROBLEM, "no subnet of the configuration is on this interface");
        finding_advise(findings,
                       "give a subnet this interface (interface: %s), or another address to one of the two",
                       iface);
    } else if (!lan->known) {
        finding_add(findings, iface, RESULT_WARNING,
                    "subnet %s has no node, and denies unknown machines: nobody is answered",
                    lan->subnet->name);
        finding_advise(findings, "rambox node add NAME --mac MAC");
    } else if (!own) {
        judge_silent(lan, findings);
    } else {
        for (size_t i = 0; i < LAN_ARCHS; i++)
            if (own->to[PROBE_KNOWN + i].heard && (lan_archs[i].arch == PXE_ARCH_BIOS)) {
                judge_answer(lan, &own->to[PROBE_KNOWN + i], findings);
                return;
            }
        judge_silent(lan, findings);
    }
}

/* ---- port 4011 ---- */

static void judge_boot_server(const struct lan *lan, const struct boot_server *s, struct findings *findings)
{
    char ip[IPV4_TEXT_MAX];
    const char *iface = lan->iface->name;
    bool needed =
        !s->own || (s->server && s->server->asks_4011) || (lan->subnet && lan->subnet->mode == DHCP_PROXY);
    ipv4_format(s->address, ip);
    if (s->answered) {
        finding_add(findings, iface, RESULT_OK, "%s%s answers at port 4011%s%s%s, after %.1f ms",
                    s->own ? "rambox serve, " : "", ip, s->file[0] ? " with boot file \"" : "", s->file,
                    s->file[0] ? "\"" : "", (double)s->after_us / 1000);
        return;
    }
    finding_add(findings, iface, needed ? RESULT_PROBLEM : RESULT_WARNING,
                "%s%s does not answer at port 4011%s", s->own ? "rambox serve, " : "", ip,
                needed ? ", where its offers make firmware ask"
                       : "; its offers name the boot file, so few firmwares ask there");
    if (s->own)
        finding_advise(
            findings,
            "open UDP port 4011 (rambox firewall), and see that no other program holds it (ss -lunp "
            "sport = 4011)");
    else
        finding_advise(findings, "stop that server's PXE service, or start what shall answer there");
}

void judge_boot_servers(const struct lan *lan, struct findings *findings)
{
    for (size_t i = 0; !lan->no_link && i < lan->boot_servers_n; i++)
        judge_boot_server(lan, &lan->boot_servers[i], findings);
}

/* ---- architectures ---- */

void judge_architectures(const struct lan *lan, struct findings *findings)
{
    const struct server_heard *own = lan_own(lan);
    cleanup_str struct str with = {0}, without = {0};
    if (!own)
        return; /* nothing to say that the server's own check has not said */
    for (size_t i = 0; i < LAN_ARCHS; i++) {
        const struct answer *answer = &own->to[PROBE_KNOWN + i];
        struct str *list = answer->heard && (answer->file[0] || answer->raspberry) ? &with : &without;
        const char *name = pxe_arch_name(lan_archs[i].arch);
        str_printf(list, "%s%u (%s)", list->len ? ", " : "", lan_archs[i].arch, name ? name : "unknown");
    }
    if (with.len)
        finding_add(findings, lan->iface->name, RESULT_OK, "firmware with a boot file: %s", str_text(&with));
    if (!without.len)
        return;
    finding_add(findings, lan->iface->name, with.len ? RESULT_WARNING : RESULT_PROBLEM,
                "firmware without a boot file: %s", str_text(&without));
    finding_advise(
        findings, "such machines cannot boot from here unless they can be set to one of the others, or their "
                  "profile names a boot_file");
}
