/* Boot scripts: a command line, in the words of every loader. Held: lines are those that the renderer wrote,
 * so that no text of a definition becomes a command; iPXE's own words and GRUB's quotes stand only where it
 * put them. */
#include "base/cleanup.h"
#include "base/str.h"
#include "serve/grub.h"
#include "serve/ipxe.h"
#include "serve/pixiecore.h"
#include "serve/pxelinux.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(condition)                                                                                      \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            abort();                                                                                         \
    } while (0)

static unsigned count_of(const char *text, const char *part)
{
    unsigned n = 0;
    while ((text = strstr(text, part))) {
        n++;
        text += strlen(part);
    }
    return n;
}

/* Lines, and what is special on them, of a command line that says nothing. */
static void compare(int (*render)(const struct boot_description *, char **, size_t *),
                    const struct boot_description *d, const char *const *special)
{
    struct boot_description plain = *d;
    cleanup_free char *text = NULL, *expected = NULL;
    size_t size, expected_size;
    plain.cmdline[0] = '\0';
    MUST(render(&plain, &expected, &expected_size) == 0);
    if (render(d, &text, &size) < 0)
        return;
    MUST(strlen(text) == size && count_of(text, "\n") == count_of(expected, "\n"));
    for (; *special; special++)
        MUST(count_of(text, *special) == count_of(expected, *special));
}

/* GRUB: after each quote that opens there is one that closes on the same line. */
static void check_quotes(const struct boot_description *d)
{
    char *text;
    size_t size;
    bool within = false;
    if (grub_render(d, &text, &size) < 0)
        return;
    for (const char *p = text; *p; p++) {
        MUST(!(within && *p == '\n'));
        if (*p == '\'')
            within = !within;
        else if (!within)
            MUST(*p != '$' && *p != ';' && *p != '"' && *p != '\\');
    }
    MUST(!within);
    free(text);
}

static void check_json(const struct boot_description *d)
{
    char *text;
    size_t size;
    if (pixiecore_render(d, &text, &size) < 0)
        return;
    json_t *object = json_loads(text, 0, NULL);
    MUST(object && str_eq(json_string_value(json_object_get(object, "cmdline")), d->cmdline));
    json_decref(object);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const ipxe[] = {"${", " || ", " && ", " ; ", NULL}, *const none[] = {NULL};
    struct boot_description d = {
        .generation = 1, .name = "n1", .kernel = "g1/kernel/k", .image = "g1/image/i"};
    for (size_t i = 0; i < size && i < sizeof(d.cmdline) - 1 && data[i]; i++) {
        if (data[i] < ' ' || data[i] == 0x7f)
            return 0; /* describe refuses it */
        d.cmdline[i] = (char)data[i];
    }
    compare(ipxe_render, &d, ipxe);
    compare(grub_render, &d, none);
    compare(pxelinux_render, &d, none);
    check_quotes(&d);
    check_json(&d);
    return 0;
}
