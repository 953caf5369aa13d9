/* A folder like /sys, this machine's or a copy of another's: see fit/hardware.h. */
#include "base/file.h"
#include "fit/hardware.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <unistd.h>

static _Thread_local struct hardware *found;
static _Thread_local unsigned n_found;

/* The name behind the link `driver` beside the file; copies made without links have none. */
static char *driver_of(const char *folder)
{
    cleanup_free char *link = xasprintf("%s/driver", folder);
    char target[PATH_MAX];
    ssize_t n = readlink(link, target, sizeof(target) - 1);
    if (n <= 0)
        return NULL;
    target[n] = '\0';
    const char *slash = strrchr(target, '/');
    return xstrdup(slash ? slash + 1 : target);
}

static int take_modalias(const char *path, const struct stat *st, int type, struct FTW *where)
{
    cleanup_free char *text = NULL;
    (void)st;
    if (type != FTW_F || !str_eq(path + where->base, "modalias") || file_read(path, 4096, &text, NULL) < 0)
        return 0;
    text[strcspn(text, "\n")] = '\0';
    if (!modalias_looks_like(text))
        return 0;
    cleanup_free char *folder = xstrndup(path, (size_t)where->base - 1);
    const char *slash = strrchr(folder, '/');
    struct device device = {.modalias = TAKE_PTR(text),
                            .where = xstrdup(slash ? slash + 1 : folder),
                            .driver = driver_of(folder)};
    hardware_add(found, &device);
    n_found++;
    return 0;
}

int hardware_add_sys(struct hardware *h, const char *folder, struct diags *diags)
{
    static const char *const below[] = {"devices", "sys/devices"};
    cleanup_free char *devices = NULL;
    for (size_t i = 0; i < ARRAY_SIZE(below) && !devices; i++) {
        devices = xasprintf("%s/%s", folder, below[i]);
        if (!file_exists(devices)) {
            free(devices);
            devices = NULL;
        }
    }
    if (!devices)
        return diag_error(diags, NULL, "%s is no folder like /sys: there is no devices/ in it", folder);
    found = h;
    n_found = 0;
    int r = nftw(devices, take_modalias, 32, FTW_PHYS) < 0 ? -errno : 0;
    found = NULL;
    if (r < 0)
        return diag_errno(diags, r, "cannot read %s", devices);
    if (n_found == 0)
        return diag_error(diags, NULL, "%s has no modalias in it", devices);
    hardware_add_note(h, xasprintf("%s: a folder like /sys, %u devices", folder, n_found));
    return 0;
}
