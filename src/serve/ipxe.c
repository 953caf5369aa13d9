/* See serve/ipxe.h. */
#include "serve/ipxe.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "serve/render.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* netX is the card that iPXE uses, whatever its number. */
#define ASK "/ipxe?mac=${netX/mac:hexhyp}&uuid=${uuid}&arch=${buildarch}&platform=${platform}"

int ipxe_render_entry(const char *base, char **ret_text, size_t *ret_size)
{
    char *text;
    int n = asprintf(&text,
                     "#!ipxe\n"
                     ":again\n"
                     "chain --replace --autofree %s" ASK " ||\n"
                     "echo rambox has nothing to boot for ${netX/mac}; asking again in 5 s\n"
                     "sleep 5\n"
                     "goto again\n",
                     base);
    if (n < 0)
        return -ENOMEM;
    *ret_text = text;
    *ret_size = (size_t)n;
    return 0;
}

/* Whether iPXE leaves it as it is. Its words are what blanks divide. */
static bool is_plain(const char *cmdline)
{
    static const char *const own[] = {"||", "&&", ";"};
    if (strstr(cmdline, "${"))
        return false;
    for (const char *word = cmdline; *word; word += strspn(word, " ")) {
        size_t n = strcspn(word, " ");
        for (size_t i = 0; i < ARRAY_SIZE(own); i++)
            if (n == strlen(own[i]) && memcmp(word, own[i], n) == 0)
                return false;
        word += n;
    }
    return true;
}

/* Named, because kernel and image may be called the same; `initrd=` is how UEFI finds them (P11). */
static int write_boot(FILE *out, const struct boot_description *d)
{
    struct boot_initrd initrds[BOOT_INITRDS_MAX];
    size_t n = boot_initrds(d, initrds);
    if (!is_plain(d->cmdline))
        return -EINVAL;
    fprintf(out, "kernel --name kernel /%s ", d->kernel);
    for (size_t i = 0; i < n; i++)
        fprintf(out, "initrd=%s ", initrds[i].name);
    fprintf(out, "%s || goto failed\n", d->cmdline);
    for (size_t i = 0; i < n; i++)
        fprintf(out, "initrd --name %s /%s || goto failed\n", initrds[i].name, initrds[i].path);
    fputs("boot || goto failed\n", out);
    return 0;
}

static void write_menu(FILE *out, const struct boot_description *d)
{
    fprintf(out, "menu %s\nitem rambox rambox\n", d->name);
    for (size_t i = 0; i < d->menu->n; i++)
        fprintf(out, "item %s %s\n", d->menu->items[i].key, d->menu->items[i].title);
    fputs("choose --default rambox ", out);
    if (d->menu->timeout_s)
        fprintf(out, "--timeout %" PRIu64 " ", UINT64_C(1000) * d->menu->timeout_s);
    fputs("chosen || goto rambox\ngoto ${chosen}\n:rambox\n", out);
}

/* UEFI goes on with its next boot option when iPXE ends with an error; BIOS's first disk is 0x80. */
#define LOCAL_DISK                                                                                           \
    "iseq ${platform} efi && exit 1 ||\n"                                                                    \
    "sanboot --no-describe --drive 0x80 || goto failed\n"

static int write_items(FILE *out, const struct boot_menu *menu)
{
    int r = 0;
    for (size_t i = 0; i < menu->n && r == 0; i++) {
        const struct boot_menu_item *item = &menu->items[i];
        fprintf(out, ":%s\n", item->key);
        if (item->local)
            fputs(LOCAL_DISK, out);
        else if (item->file)
            fprintf(out, "kernel /%s || goto failed\nboot || goto failed\n", item->file);
        else
            r = write_boot(out, &item->boot);
    }
    return r;
}

static int write_file(FILE *out, const struct boot_description *d)
{
    fprintf(out, "#!ipxe\n# %s, generation %u\nimgfree\n", d->name, d->generation);
    if (d->menu)
        write_menu(out, d);
    int r = write_boot(out, d);
    if (r == 0 && d->menu)
        r = write_items(out, d->menu);
    fputs(":failed\n"
          "echo rambox: this did not work; trying again in 5 s\n"
          "sleep 5\n"
          "chain --replace --autofree " ASK " || goto failed\n",
          out);
    return r;
}

int ipxe_render(const struct boot_description *d, char **ret_text, size_t *ret_size)
{
    return render_text(write_file, d, ret_text, ret_size);
}
