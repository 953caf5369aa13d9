/* See serve/pixiecore.h. */
#include "serve/pixiecore.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

int pixiecore_render(const struct boot_description *d, char **ret_text, size_t *ret_size)
{
    struct boot_initrd initrds[BOOT_INITRDS_MAX];
    size_t n = boot_initrds(d, initrds);
    char kernel[ARTIFACT_PATH_MAX + 1];
    if (strstr(d->cmdline, "{{"))
        return -EINVAL;
    snprintf(kernel, sizeof(kernel), "/%s", d->kernel);
    /* A command line that is no UTF-8 cannot be said in JSON. */
    json_t *cmdline = json_string(d->cmdline);
    if (!cmdline)
        return -EINVAL;
    json_t *object = json_pack("{s:s, s:[], s:o}", "kernel", kernel, "initrd", "cmdline", cmdline);
    for (size_t i = 0; object && i < n; i++) {
        char path[ARTIFACT_PATH_MAX + 1];
        snprintf(path, sizeof(path), "/%s", initrds[i].path);
        json_array_append_new(json_object_get(object, "initrd"), json_string(path));
    }
    char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;
    json_decref(object);
    if (!text)
        return -ENOMEM;
    *ret_text = text;
    *ret_size = strlen(text);
    return 0;
}
