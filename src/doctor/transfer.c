/* The check that what firmware is told to fetch can be fetched. */
#include "base/str.h"
#include "doctor/checks.h"
#include "doctor/fetch.h"

#include <errno.h>
#include <inttypes.h>

enum { BLKSIZE_LARGE = 1468, BLKSIZE_SMALL = 1024, TFTP_AROUND = 20 + 8 + 4 };

/* The first boot file that our server told by TFTP; NULL: none. */
static const struct answer *boot_file(const struct lan *lan)
{
    const struct server_heard *own = lan_own(lan);
    for (size_t i = 0; own && i < LAN_ARCHS; i++) {
        const struct answer *answer = &own->to[PROBE_KNOWN + i];
        if (answer->heard && answer->file[0] && lan_archs[i].kind == PROBE_PXE)
            return answer;
    }
    return NULL;
}

static void say_failed(struct doctor *d, const struct lan *lan, const char *file, ipv4_t server,
                       unsigned blksize, int r, const char *error)
{
    char ip[IPV4_TEXT_MAX];
    finding_add(d->findings, lan->iface->name, RESULT_PROBLEM,
                "\"%s\" cannot be fetched from %s with blocks of %u bytes: %s", file, ipv4_format(server, ip),
                blksize, error[0] ? error : strerror(-r));
    finding_advise(d->findings,
                   r == -EPROTO
                       ? "see that the loaders are there, and what the log says: journalctl -u rambox"
                       : "open the TFTP port (rambox firewall), and see that the server runs");
}

static void compare(struct doctor *d, const struct lan *lan, const char *file, const struct fetched f[2])
{
    const char *iface = lan->iface->name;
    char size[SIZE_TEXT_MAX];
    bool same = f[0].size == f[1].size && digest_equal(&f[0].digest, &f[1].digest);
    bool as_said = f[0].said == UINT64_MAX || f[0].said == f[0].size;
    if (!same || !as_said) {
        finding_add(d->findings, iface, RESULT_PROBLEM,
                    "\"%s\" is %" PRIu64 " bytes with blocks of %u and %" PRIu64 " with blocks of %u%s", file,
                    f[0].size, f[0].blksize, f[1].size, f[1].blksize,
                    as_said ? "" : ", and neither is what tsize says");
        finding_advise(d->findings,
                       "the file changed meanwhile, or the disk is bad: look again, then at dmesg");
    } else if (f[0].blksize + TFTP_AROUND > (int)lan->iface->mtu) {
        finding_add(d->findings, iface, RESULT_PROBLEM,
                    "blocks of %u bytes are granted, and the MTU is %u: they are cut up", f[0].blksize,
                    lan->iface->mtu);
        finding_advise(d->findings, "say tftp: max_blksize: %u in rambox.yaml",
                       lan->iface->mtu - TFTP_AROUND);
    } else {
        finding_add(d->findings, iface, RESULT_OK,
                    "\"%s\", %s, comes the same by TFTP in blocks of %u and of %u bytes", file,
                    format_size(f[0].size, size), f[0].blksize, f[1].blksize);
    }
}

void check_transfer(struct doctor *d)
{
    static const uint16_t sizes[] = {BLKSIZE_LARGE, BLKSIZE_SMALL};
    for (size_t i = 0; d->site && i < d->lans_n; i++) {
        const struct lan *lan = &d->lans[i];
        const struct answer *boot = boot_file(lan);
        struct fetched fetched[ARRAY_SIZE(sizes)];
        char error[FETCH_ERROR_MAX];
        int r = 0;
        if (!boot)
            continue; /* the server's own check has said why */
        ipv4_t server = boot->next_server ? boot->next_server : lan->iface->address;
        for (size_t j = 0; r == 0 && j < ARRAY_SIZE(sizes); j++) {
            progress_update(d->request->progress, "fetch the boot file", j, ARRAY_SIZE(sizes), boot->file);
            r = fetch(server, d->site->server.tftp_port, boot->file, sizes[j], &fetched[j], error);
            if (r < 0)
                say_failed(d, lan, boot->file, server, sizes[j], r, error);
        }
        if (r == 0)
            compare(d, lan, boot->file, fetched);
    }
}
