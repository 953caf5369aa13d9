/* See config/config.h: `rambox init`. The starter is data: SHARE/starter, copied as it is. */
#include "base/file.h"
#include "base/str.h"
#include "config/config.h"

#include <errno.h>

int config_init(const char *dir, const char *share_dir, struct diags *diags)
{
    cleanup_free char *starter = xasprintf("%s/starter", share_dir);
    char **names = NULL;
    if (!file_exists(starter)) {
        diag_error(diags, NULL, "the starter is missing at %s; is rambox installed, or RAMBOX_SHARE set?",
                   starter);
        return -ENOENT;
    }
    int r = dir_names(dir, NULL, &names);
    bool used = r == 0 && names[0];
    names_free(names);
    if (used) {
        diag_error(diags, NULL, "%s is not empty; name a new folder, or empty it first", dir);
        return -EEXIST;
    }
    if (r < 0 && r != -ENOENT)
        return diag_errno(diags, r, "%s cannot be the configuration folder", dir);
    r = dir_copy(starter, dir);
    return r < 0 ? diag_errno(diags, r, "cannot write the starter to %s", dir) : 0;
}
