/* See serve/grub.h. */
#include "serve/grub.h"
#include "base/cleanup.h"
#include "base/str.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* Writes the command line as GRUB's words. 0 or -EINVAL. */
static int write_words(FILE *out, const char *cmdline)
{
    bool quoted = false, within = false; /* in double quotes; in a word */
    for (const char *p = cmdline; *p; p++) {
        if (*p == '\\' || *p == '\'')
            return -EINVAL;
        if (*p == ' ' && !quoted) {
            if (within)
                fputc('\'', out);
            within = false;
            continue;
        }
        if (!within)
            fputs(" '", out);
        within = true;
        if (*p == '"')
            quoted = !quoted;
        else
            fputc(*p, out);
    }
    if (within)
        fputc('\'', out);
    return quoted ? -EINVAL : 0;
}

int grub_render(const struct boot_description *d, char **ret_text, size_t *ret_size)
{
    char *text = NULL, server[IPV4_TEXT_MAX];
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return -ENOMEM;
    fprintf(out, "# %s, generation %u\n", d->name, d->generation);
    if (d->http_port) /* GRUB without HTTP, as Debian's signed one is, finds no such device and goes on by
                         TFTP */
        fprintf(out, "if [ -e '(http,%s:%u)/healthz' ]; then set root='http,%s:%u'; fi\n",
                ipv4_format(d->server, server), d->http_port, server, d->http_port);
    fprintf(out,
            "set default=0\n"
            "set timeout=0\n"
            "menuentry 'rambox' --unrestricted {\n"
            "  linux '/%s'",
            d->kernel);
    int r = write_words(out, d->cmdline);
    fputc('\n', out);
    struct boot_initrd initrds[BOOT_INITRDS_MAX];
    size_t n = boot_initrds(d, initrds);
    for (size_t i = 0; i < n; i++)
        fprintf(out, "%s '/%s'%s", i ? "" : "  initrd", initrds[i].path, i + 1 == n ? "\n" : "");
    fputs("}\n", out);
    if (fclose(out) != 0)
        r = -ENOMEM;
    if (r < 0) {
        free(text);
        return r;
    }
    *ret_text = text;
    *ret_size = size;
    return 0;
}
