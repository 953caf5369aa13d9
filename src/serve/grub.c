/* See serve/grub.h. */
#include "serve/grub.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "serve/render.h"

#include <errno.h>
#include <inttypes.h>
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

static int write_boot(FILE *out, const struct boot_description *d)
{
    struct boot_initrd initrds[BOOT_INITRDS_MAX];
    size_t n = boot_initrds(d, initrds);
    fprintf(out, "  linux '/%s'", d->kernel);
    int r = write_words(out, d->cmdline);
    fputc('\n', out);
    for (size_t i = 0; i < n; i++)
        fprintf(out, "%s '/%s'%s", i ? "" : "  initrd", initrds[i].path, i + 1 == n ? "\n" : "");
    return r;
}

static int write_items(FILE *out, const struct boot_menu *menu)
{
    int r = 0;
    for (size_t i = 0; i < menu->n && r == 0; i++) {
        const struct boot_menu_item *item = &menu->items[i];
        fprintf(out, "menuentry '%s' --unrestricted {\n", item->title);
        if (item->local)
            fputs("  exit 1\n", out); /* the firmware goes on with its next boot option */
        else if (item->file)
            fprintf(out, "  chainloader '/%s'\n", item->file);
        else
            r = write_boot(out, &item->boot);
        fputs("}\n", out);
    }
    return r;
}

/* A time-out of -1 waits for ever. */
static void write_timeout(FILE *out, const struct boot_menu *menu)
{
    if (menu && menu->timeout_s)
        fprintf(out, "set timeout_style=menu\nset timeout=%" PRIu32 "\n", menu->timeout_s);
    else
        fprintf(out, "set timeout=%d\n", menu ? -1 : 0);
}

static int write_file(FILE *out, const struct boot_description *d)
{
    char server[IPV4_TEXT_MAX];
    fprintf(out, "# %s, generation %u\n", d->name, d->generation);
    if (d->http_port) /* GRUB without HTTP, as Debian's signed one is, finds no such device and goes on by
                         TFTP */
        fprintf(out, "if [ -e '(http,%s:%u)/healthz' ]; then set root='http,%s:%u'; fi\n",
                ipv4_format(d->server, server), d->http_port, server, d->http_port);
    fputs("set default=0\n", out);
    write_timeout(out, d->menu);
    fputs("menuentry 'rambox' --unrestricted {\n", out);
    int r = write_boot(out, d);
    fputs("}\n", out);
    if (r == 0 && d->menu)
        r = write_items(out, d->menu);
    return r;
}

int grub_render(const struct boot_description *d, char **ret_text, size_t *ret_size)
{
    return render_text(write_file, d, ret_text, ret_size);
}
